/// Manifold-constrained hyper-connections: the mixing map is doubly stochastic, so that nothing grows.
/// With z = P H / rms(H) over all n d entries:  pre_i = sigmoid(ap zp_i + bp_i),
/// post_k = 2 sigmoid(aq zq_k + bq_k),  M = sinkhorn(ar zr_kj + br_kj);
/// x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   Xie et al. 2025, arXiv:2512.24880, equation 9. v4 = true is DeepSeek-V4's arithmetic: a
///           softmax first, 1e-6 in every division and on `pre`.
/// Begins:   the paper gives 0.01 for the three scales only. Here bp reads one stream (0.95, the
///           others 0.05), bq = 0 writes 1 everywhere, br is 0 on the diagonal and -8 off it, so that
///           M is near the identity. Decay on P, Q, R only.
/// Cost:     n d (n^2 + 2n) + n^2 + 2n + 3 parameters; as many multiplications again as mixing has.
/// Options:  those of `shc`. reduce = head_streams is V4's read-out. `map` makes M of its logits:
///           map = sinkhorn_log is exact for logits of any size.
/// Differs:  rows of M (destinations) sum to one exactly, columns (sources) in the limit of `iters`;
///           other codes do it the other way round. V4's own values begin at bp = br = 0, M = 1/n.
/// Use:      n = 4 where `dhc` grows too much: deep networks, high rates.
connection mhc(n = 4, iters = 20, norm = rmsnorm, v4 = false, start = site, dropout = 0,
               expand = replicate, reduce = sum_streams, map = select(v4, sinkhorn_v4, sinkhorn)) {
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[n, n, n, d] ~ normal(0.02);   // to read, write and mixing maps
  param bp[n]    = 6 * onehot(start % n) - 3  nodecay;   // initial values are not in the paper:
  param bq[n]    = 0                         nodecay;   // these read one stream, write all alike
  param br[n, n] = 8 * identity - 8          nodecay;   // and mix near the identity
  param ap = 0.01, aq = 0.01, ar = 0.01      nodecay;
  const eps      = select(v4, 1e-6, 0);

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]) + eps;
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let L[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];    // destination k, source j
  let M        = map(L, iters);
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = dropout(sum[j] M[k,j] * H[j,c] + post[k] * y[c], dropout);
  let s        = reduce(H);
  end   x      = norm(s);
}
