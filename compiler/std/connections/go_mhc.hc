/// go-mHC: the mixing map is made of squared entries of an orthogonal map, s by s of them for each
/// weight, and so exactly doubly stochastic. With z = R H / rms(H) over all n d entries, m = n s:
/// A = skew(ar z + br) of size m,  O = (1 - A)(1 + A)^-1,  M_kj = sum_ab O_(ks+a)(js+b)^2 / s;
/// pre and post as in `krom`;  x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   arXiv:2604.02309, and its notebook. s = 1: orthostochastic maps; s = 2 is recommended.
/// Begins:   P = Q = R = 0; bp and bq 1 at stream `start % n`, -1 elsewhere; scales 0.01; br random:
///           at 0 the map is the identity and no gradient reaches it, ever. 0.05 leaves about 0.94
///           on the diagonal. Decay on P, Q, R only.
/// Cost:     with K = m (m - 1) / 2:  n d (2n + K) + 2n + K + 3 parameters; (3 n^2 + n K + 2n) d
///           multiplications a position, and about m^3 to solve.
/// Options:  those of `shc`.
/// Differs:  the notebook solves for the transpose of O, and so of M.
/// Use:      n = 8 and more, where n! is too many; with a larger s it reaches more of the maps.
connection go_mhc(n = 4, s = 2, norm = rmsnorm, start = site, expand = replicate,
                  reduce = sum_streams) {
  const m = n * s;
  require m > 1, "a rotation needs two dimensions: n s > 1";
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[m * (m - 1) / 2, n, d] = 0;
  param bp[n], bq[n] = 2 * onehot(start % n) - 1  nodecay;
  param br[m * (m - 1) / 2] ~ normal(0.05)        nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01           nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let t[p]     = ar * r * (sum[i,c] R[p,i,c] * H[i,c]) + br[p];
  let O        = cayley(skew(t, m));
  let B[k < n, a < s, j < n, b < s] = O[k*s + a, j*s + b];
  let M[k,j]   = sum[a,b] B[k,a,j,b]^2 / s;
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let f        = reduce(H);
  end   x      = norm(f);
}
