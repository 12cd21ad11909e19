/// Manifold-constrained hyper-connections. Xie et al. 2025, arXiv:2512.24880, equation 9. With
/// `v4 = true` the arithmetic of DeepSeek-V4: softmax first, and 1e-6 in every division.
connection mhc(n = 4, iters = 20, norm = rmsnorm, v4 = false) {
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[n, n, n, d] ~ normal(0.02);   // to read, write and mixing maps
  param bp[n]    = 6 * onehot(site % n) - 3  nodecay;   // initial values are not in the paper:
  param bq[n]    = 0                         nodecay;   // these read one stream, write all alike
  param br[n, n] = 8 * identity - 8          nodecay;   // and mix near the identity
  param ap = 0.01, aq = 0.01, ar = 0.01      nodecay;
  const eps      = select(v4, 1e-6, 0);

  begin H[i,c] = x[c];
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]) + eps;
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let L[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];    // destination k, source j
  if v4 {
    let M      = sinkhorn_v4(L, iters);
  } else {
    let M      = sinkhorn(L, iters);
  }
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s[c]     = sum[i] H[i,c];
  end   x      = norm(s);
}
