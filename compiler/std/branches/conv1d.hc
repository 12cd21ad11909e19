/// A gated convolution over the last k positions: every feature has its own k weights (depthwise) and
/// sees no later position. Dauphin et al. 2017, arXiv:1612.08083.
branch conv1d(k = 4, act = silu) : x[d] -> y[d] {
  param Wg[d, d], Wu[d, d] ~ normal(0.02);
  param K[k, d] ~ normal(1 / sqrt(k));
  param Wo[d, d] ~ normal(0.02 / sqrt(2 * blocks));
  let g[c] = act(sum[j] Wg[c,j] * x[j]);
  let u[c] = sum[j] Wu[c,j] * x[j];
  let w    = window(u, k);
  let m[c] = sum[a] K[a,c] * w[a,c];
  let y[c] = sum[j] Wo[c,j] * (g[j] * m[j]);
}
