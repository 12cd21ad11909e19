use std;

branch wider(out) : x[d] -> y[out] {
  param W[out, d] ~ normal(0.1);
  let y[k] = sum[c] W[k,c] * x[c];
}

connection grown {
  state h[d];
  begin h = x;
  read x = h;
  write h[c < extent(y)] = y[c];
  end x = h;
}

connection halved {
  state h[d], g[d];          // expected-error {{E0302}} {{the writes of this site make the trunk 12 wide, but leave `g` at 8}}
  begin h = x, g = x;
  read x = h;
  write h[c < extent(y)] = y[c];
  end x = h;
}

connection cut {
  const e = d / 2;
  state H[2, e];
  begin H[f,a] = x[f*e + a];
  read x[f*e + a] = H[f,a];
  write H[f, a < 6] = y[f*6 + a];   // expected-error {{this axis has 4 entries, not 6}} {{`H` got its shape here}}
  end x[f*e + a] = H[f,a];
}

connection held {
  state h[d];
  begin h = x;
  read x = h;
  write h = y;               // expected-error {{`h` is [8], this is [12]}}
  end x = h;
}

model all {
  const d = 8;
  input x[d] : real;
  let a = trunk(x) { one = halved : wider(12); };
  let b = trunk(x) { one = cut : wider(12); };
  let c = trunk(x) { one = held : wider(12); };
  let e = trunk(x) { one = grown : wider(12); two = shc(n = 2) : wider(12); };   // expected-error@* {{`H` is [2, 12], this is [2, 8]}} {{`e.one` made the trunk another width}}
  let f = trunk(x) { one = grown : wider(12); two = grown : wider(8); three = residual : wider(8); };
  let s = sum[k] a[k] + sum[k] b[k] + sum[k] c[k] + sum[k] e[k] + sum[k] f[k];
  loss s;
}
