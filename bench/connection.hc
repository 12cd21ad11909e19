use std;

/// Sites in a row whose branches do nothing but cut: each gives what it was given one position
/// earlier, so that every connection reads streams from memory and writes them there.
/// One connection's cost is that of the kernel between two branches.
model single {
  const positions_each = 320, d = 1280, n = 4, wiring = shc, site_count = 8;
  positions t <= positions_each;
  input  x[t, d] : real;
  target z[t, d] : real;
  param g[d] = 1;                     // so that gradients reach the first site
  let e[c] = g[c] * x[c];
  let h = trunk(e) {
    repeat site_count { one = wiring : thin(48); }
  };
  loss mse(h, z);
}

/// The same with branches that give what they get: nothing stands between two connections.
model chain {
  const positions_each = 8192, d = 512, n = 4, wiring = shc, site_count = 10;
  positions t <= positions_each;
  input  x[t, d] : real;
  target z[t, d] : real;
  param g[d] = 1;
  let e[c] = g[c] * x[c];
  let h = trunk(e) {
    repeat site_count { one = wiring : nothing; }
  };
  loss mse(h, z);
}

/// Two thin matrix products, which no kernel takes in.
branch thin(rank) : x[d] -> y[d] {
  param W[rank, d], V[d, rank] ~ normal(0.02);
  let u[k] = sum[c] W[k,c] * x[c];
  let y[c] = sum[k] V[c,k] * u[k];
}

branch nothing : x[d] -> y[d] {
  let y = x;
}

train single { batch 1; }
train chain  { batch 1; }
