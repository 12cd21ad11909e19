/// KromHC: the mixing map is a Kronecker product of doubly stochastic 2 by 2 maps.
/// With z = R H / rms(H) over all n d entries, n = 2^K:  U_f = softmax(ar zr_f + br_f), two weights,
/// M = U'_1 x ... x U'_K, U'_f = [[U_f0, U_f1], [U_f1, U_f0]];  pre, post = sigmoid, 2 sigmoid;
/// x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   Zhou et al. 2026, arXiv:2601.21579, and its code. Its factors may have any size.
/// Begins:   P = Q = R = 0; bp and bq 1 at stream `start % n`, -1 elsewhere; br = (0, -8): each factor
///           0.9997 of the identity. Scales 0.01. Decay on P, Q, R only.
/// Cost:     n d (2n + 2K) + 2n + 2K + 3 parameters; (3 n^2 + 2 n K + 2n) d multiplications a position.
/// Options:  those of `shc`.
/// Differs:  the code normalises z with a gain, which P, Q and R hold here; there `start` is random,
///           and the norm at the end comes before the sum.
/// Use:      exact sums at any n = 2^K for few parameters. All its maps are symmetric and commute:
///           it cannot turn streams in a cycle.
connection krom(n = 4, norm = rmsnorm, start = site, expand = replicate, reduce = sum_streams) {
  const K = floor(log(n) / log(2) + 0.5);
  require K > 0 && 2^K == n, "the number of streams is a product of twos: n = 2, 4, 8, ...";
  let bit[f < K, k < n] = floor(k / 2^(K - 1 - f)) % 2;         // the first factor's is the highest
  let away[f, a < 2]    = -8 * a + 0 * bit[f,0];
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[K, 2, n, d] = 0;
  param bp[n], bq[n] = 2 * onehot(start % n) - 1  nodecay;
  param br[K, 2]     = away                       nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01           nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let U[f,a]   = softmax[a] (ar * r * (sum[i,c] R[f,a,i,c] * H[i,c]) + br[f,a]);
  let M[k,j]   = prod[f] select(bit[f,k] == bit[f,j], U[f,0], U[f,1]);
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
