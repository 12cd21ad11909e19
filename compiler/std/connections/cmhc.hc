/// Circulant mHC: the mixing map is a weighted sum of turns of the streams, and so doubly stochastic.
/// With z = R H / rms(H) over all n d entries:  c = (1 - g) e_0 + g softmax(ar z + br),
/// M_kj = c[(j - k) mod n];  pre_i = sigmoid(ap zp_i + bp_i), post_k = 2 sigmoid(aq zq_k + bq_k);
/// x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   circulant manifold-constrained hyper-connections.
/// Begins:   bp = -log(n - 1), so that pre is 1/n; bq = br = 0; P, Q, R normal(0.02 / sqrt(n d)), scales
///           0.01. Decay on P, Q, R only.
/// Cost:     3 n^2 d + 3 n + 3 parameters, a third of `mhc`'s; (4 n^2 + 2n) d multiplications a position.
/// Options:  those of `shc`; mixing = g, the share that mixes at all, beta / (2 sites) with beta = 4.
/// Use:      many streams: the map has n numbers and not n^2. n = 2 and mixing = 1 is `mhc_lite`.
connection cmhc(n = 4, norm = rmsnorm, mixing = min(2 / sites, 1), expand = replicate,
                reduce = mean_streams) {
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[n, n, d] ~ normal(0.02 / sqrt(n * d));
  param bp[n] = -log(max(n - 1, 0.01))        nodecay;
  param bq[n] = 0, br[n] = 0                  nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01       nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let w[a]     = softmax[a] (ar * r * (sum[i,c] R[a,i,c] * H[i,c]) + br[a]);
  let C[a]     = (1 - mixing) * onehot(0)[a] + mixing * w[a];
  let M[k < n, j < n] = C[(j - k + n) % n];
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
