/// One connection around one branch, small enough to be read at every stage: see docs/stages.md.
connection gated {
  state h[d];
  param a[d] = 1;
  begin h    = x;
  read  x    = h;
  write h[c] = h[c] + a[c] * y[c];
  end   x    = h;
}

branch square(width) : x[d] -> y[d] {
  param W[width, d], V[d, width] ~ normal(0.1);
  let u[k] = sum[c] W[k,c] * x[c];
  let y[c] = sum[k] V[c,k] * u[k]^2;
}

model small {
  const d = 256;
  positions t <= 32;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { one = gated : square(512); };
  loss sum[c] (h[c] - z[c])^2;
}
