/// Streams in pairs.
connection pairs(n = 4, norm = rmsnorm) {
  const half = n / 2;
  require n % 2 == 0 && n > 1, "streams come in pairs";
  state H[half, 2, d];
  param W[half] = 0.5 nodecay;
  begin H[i,a,c] = x[c];
  let u[c]       = sum[i,a] W[i] * H[i,a,c];
  read  x        = norm(u);
  write H[i,a,c] = H[i,a,c] + y[c];
  let s[c]       = sum[i,a] H[i,a,c];
  end   x        = norm(s);
}

branch bottleneck(factor) : x[d] -> y[d] {
  require d % factor == 0, "the width is a multiple of `factor`";
  param W[d / factor, d], V[d, d / factor] ~ normal(0.02);
  let u[k] = sum[c] W[k,c] * x[c];
  let y[c] = sum[k] V[c,k] * u[k];
}

fn leading(x[d], k) -> y[k] {
  require k <= d, "`k` entries of a vector that has fewer";
  let y[i < k] = x[i];
}

fn late(x[d]) -> y[d] {
  require x[0] > 0, "positive";        // expected-error {{E0206}}
  let y = x;
}

model m {
  const d = 16, blocks = 2;
  require blocks % 2 == 1, "an odd depth";       // expected-error {{E0229}} {{`m`: an odd depth}} {{required here; `blocks` is 2}}
  positions t <= 4;
  loss 0;
}

// arguments: --model chosen
model chosen {
  const d = 16;
  positions t <= 4;
  input a[t, d] : real;
  let h = trunk(a) {
    one = pairs(n = 6) : bottleneck(4);
    two = pairs(n = 3) : bottleneck(4);          // expected-error {{E0229}} {{`pairs`: streams come in pairs}} {{required here; `n` is 3}}
  };
  let g = trunk(a) {
    one = residual : bottleneck(5);              // expected-error {{E0229}} {{`bottleneck`: the width is a multiple}} {{`d` is 16, `factor` is 5}}
  };
  let z = leading(a, 17);                        // expected-error {{E0229}} {{`leading`: `k` entries}} {{`k` is 17, `d` is 16}}
  loss sum[k] z[k];
}

train chosen { require 1 > 0, "placed wrongly"; }  // expected-error {{E0106}}
