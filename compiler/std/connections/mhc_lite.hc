/// mHC-lite: the mixing map is a convex combination of all n! permutations, and so exactly doubly
/// stochastic. With z = R H / rms(H) over all n d entries:  w = softmax(ar z + br), n! weights,
/// M = sum_p w_p S_p, (S_p)_kj = 1 where permutation p gives destination k the source j;
/// pre and post as in `krom`;  x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   arXiv:2601.05732, and its code.
/// Begins:   P = Q = R = 0; bp and bq 1 at stream `start % n`, -1 elsewhere: pre 0.73 and 0.27, post
///           twice that; br 0 for the identity, -8 for the others: M is 0.994 on the diagonal (n = 4).
///           Scales 0.01. Decay on P, Q, R only.
/// Cost:     n d (n! + 2n) + n! + 2n + 3 parameters; (n n! + 3 n^2 + 2n) d multiplications a position.
/// Options:  those of `shc`.
/// Differs:  its code applies the permutations the other way round, which matters for its weights
///           alone; it normalises with a gain, which P, Q, R hold here; `start` is random there, and
///           the norm at the end comes before the sum.
/// Use:      n = 3 or 4 where Sinkhorn's sums are not exact enough. The map moves slowly from br = -8.
connection mhc_lite(n = 4, norm = rmsnorm, start = site, expand = replicate,
                    reduce = sum_streams) {
  require n <= 6, "it weighs all n! permutations, 720 for n = 6; more streams: `krom`, `go_mhc`";
  let S = permutations(n);                              // S[p,k]: the source of destination k
  const N = factorial(n);
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[N, n, d] = 0;
  param bp[n], bq[n] = 2 * onehot(start % n) - 1  nodecay;
  param br[N] = 8 * onehot(0) - 8                 nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01           nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let w[p]     = softmax[p] (ar * r * (sum[i,c] R[p,i,c] * H[i,c]) + br[p]);
  let M[k,j<n] = sum[p] w[p] * select(S[p,k] == j, 1, 0);
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
