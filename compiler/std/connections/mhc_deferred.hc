/// Deferred mHC: a site decides how the next one reads, so that one pass over the state makes the
/// weights of reading, writing and mixing before the branch is known. With z as in `mhc`:
/// x = norm(sum_i a_i H_i), a carried from the site before;  a_i becomes sigmoid(ap zp_i + bp_i) + 1e-6;
/// post_k = 2 sigmoid(aq zq_k + bq_k),  M = sinkhorn_v4(ar zr + br);
/// H_k becomes sum_j M_kj H_j + post_k y;  the end is norm(sum_i a_i H_i) with the last a
/// Source:   DeepSeek-V4.1-Flash's single-pass form, known here from notes on its code; after
///           arXiv:2512.24880.
/// Begins:   stream 0 is read first; bp then reads stream `(start + 1) % n`; the rest as `mhc`. Decay
///           on P, Q, R only.
/// Cost:     as `mhc`: n d (n^2 + 2n) + n^2 + 2n + 3 parameters, and no read-out at the end.
/// Options:  `start` and `expand` as those of `shc`.
/// Differs:  the rms has 1e-20, not 1e-6. The original begins with bp = bq = br = 0.
/// Use:      where moving the state costs more than computing: the state is read once a site.
connection mhc_deferred(n = 4, iters = 20, norm = rmsnorm, start = site,
                        expand = replicate, map = sinkhorn_v4) {
  state H[n, d];
  let first[i < n] = onehot(0)[i];
  carry a[n]     = first;
  param P[n, n, d], Q[n, n, d], R[n, n, n, d] ~ normal(0.02);
  param bp[n]    = 6 * onehot((start + 1) % n) - 3  nodecay;
  param bq[n]    = 0                         nodecay;
  param br[n, n] = 8 * identity - 8          nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01      nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-20);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]) + 1e-6;
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let L[k,j]   = ar * r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];
  let M        = map(L, iters);
  probe M;

  let u[c]     = sum[i] a[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c], a[i] = pre[i];
  let s[c]     = sum[i] a[i] * H[i,c];
  end   x      = norm(s);
}
