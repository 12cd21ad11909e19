/// One-sided hyper-connections: the mixing map's rows, or its columns, are softmaxes.
/// With z = R H / rms(H) over all n d entries:  M_kj = softmax over j of (ar z_kj + br_kj), a mean of
/// sources for each destination;  pre and post as in `mhc`;
/// x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   an ablation of manifold-constrained hyper-connections.
/// Begins:   as `mhc`: bp reads one stream, bq = 0 writes 1 everywhere, br is 0 on the diagonal and -8
///           off it. Decay on P, Q, R only.
/// Cost:     n d (n^2 + 2n) + n^2 + 2n + 3 parameters; no iteration.
/// Options:  those of `shc`; columns = true is a softmax over k: each source goes where it goes in parts
///           that sum to one. columns = (site >= sites / 2) is one kind first, then the other.
/// Use:      where Sinkhorn's iterations cost too much: means of sources cannot grow either.
connection oshc(n = 4, columns = false, norm = rmsnorm, start = site, expand = replicate,
                reduce = sum_streams) {
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[n, n, n, d] ~ normal(0.02);
  param bp[n]    = 6 * onehot(start % n) - 3  nodecay;
  param bq[n]    = 0                          nodecay;
  param br[n, n] = 8 * identity - 8           nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01       nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let L[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];
  if columns { let M[k,j] = softmax[k] L[k,j]; } else { let M[k,j] = softmax[j] L[k,j]; }
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
