/// TBP-mHC: the mixing map is filled entry by entry, each between what its row and column still must
/// take and still can (`transport`), and so doubly stochastic.
/// With z = R H / rms(H) over all n d entries:  M = transport(ar z + br), n - 1 by n - 1 logits;
/// pre and post as in `krom`;  x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   arXiv:2605.21724, and its code.
/// Begins:   P = Q = R = 0, br = 0: a map in the middle (first row 1/2, 1/4, 1/8, 1/8), not the
///           identity; bp and bq 1 at stream `start % n`, -1 elsewhere; scales 0.01. Decay on P, Q, R.
/// Cost:     n d (2n + (n - 1)^2) + 2n + (n - 1)^2 + 3 parameters; (n (n - 1)^2 + 3 n^2 + 2n) d
///           multiplications a position. The entries follow one another.
/// Options:  those of `shc`.
/// Differs:  the code has more forms: a share of 1/n in every entry, a tree of blocks for n = 2^K, an
///           average over orders. Its learning rate for the map is a sixth of the others'.
/// Use:      exact sums with the fewest logits. Streams are not alike: their order matters.
connection tbp(n = 4, norm = rmsnorm, start = site, expand = replicate,
               reduce = sum_streams) {
  require n > 1, "a map of one stream has no entries to choose";
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[n - 1, n - 1, n, d] = 0;
  param bp[n], bq[n] = 2 * onehot(start % n) - 1  nodecay;
  param br[n - 1, n - 1] = 0                      nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01           nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let t[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];
  let M        = transport(t);
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
