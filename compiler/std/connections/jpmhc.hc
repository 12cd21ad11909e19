/// JPmHC: an orthogonal mixing map, by a few steps towards the Cayley transform.
/// With z = (P, Q, R) H / rms(H) over all n d entries:  pre_kj = softmax over sources j of zp + bp,
/// post_kj = softmax over destinations k of zq + bq,  W = L - L^T with L = zr + br,
/// Y = 1 + alpha W, then `iters` times Y = 1 + alpha/2 W (1 + Y);
/// x = norm(mean_k sum_j pre_kj H_j);  H_k becomes sum_j Y_kj H_j + sum_j post_kj y
/// Source:   Sengupta et al. 2026, arXiv:2602.18308; known here from notes on it, not from its code.
/// Begins:   the sources do not say. Biases 0: the mean is read, 1 is written, Y is near 1; P, Q and R
///           are small. Decay on P, Q, R only.
/// Cost:     3 n^3 d + 3 n^2 parameters; (3 n^3 + 3 n^2) d multiplications a position.
/// Options:  those of `shc`; alpha = 0.1 and iters = 2 are the paper's.
/// Differs:  the paper has forms with Sinkhorn and Grassmann maps, too, and does not say in the notes
///           whether the state is normalised before it is projected; here it is, as in `mhc`.
/// Use:      lengths are kept (to 1e-3 for small W), so nothing fades; signs may turn, and sums not.
connection jpmhc(n = 4, alpha = 0.1, iters = 2, norm = layernorm, expand = replicate,
                 reduce = sum_streams) {
  state H[n, d];
  param P[n, n, n, d], Q[n, n, n, d], R[n, n, n, d] ~ normal(0.02);     // destination, source first
  param bp[n, n], bq[n, n], br[n, n] = 0  nodecay;

  begin H       = expand(x, n);
  let r         = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let a[k,j]    = r * (sum[i,c] P[k,j,i,c] * H[i,c]) + bp[k,j];
  let b[k,j]    = r * (sum[i,c] Q[k,j,i,c] * H[i,c]) + bq[k,j];
  let L[k,j]    = r * (sum[i,c] R[k,j,i,c] * H[i,c]) + br[k,j];
  let pre[k,j]  = softmax[j] a[k,j];
  let post[k,j] = softmax[k] b[k,j];
  let W[k,j]    = L[k,j] - L[j,k];
  let M[k,j]    = identity[k,j] + alpha * W[k,j];
  iterate iters {
    M[k,j] = identity[k,j] + alpha / 2 * (sum[i] W[k,i] * (identity[i,j] + M[i,j]));
  }
  probe M;

  let u[c]      = mean[k] (sum[j] pre[k,j] * H[j,c]);
  read  x       = norm(u);
  write H[k,c]  = sum[j] M[k,j] * H[j,c] + (sum[j] post[k,j]) * y[c];
  let s         = reduce(H);
  end   x       = norm(s);
}
