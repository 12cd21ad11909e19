/// A gated pair of linear maps, and one back. Shazeer 2020, arXiv:2002.05202.
branch swiglu(hidden, act = silu) : x[d] -> y[d] {
  param Wg[hidden, d], Wu[hidden, d] ~ normal(0.02);
  param Wd[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  let g[k] = act(sum[c] Wg[k,c] * x[c]);
  let u[k] = sum[c] Wu[k,c] * x[c];
  let y[c] = sum[k] Wd[c,k] * (g[k] * u[k]);
}
