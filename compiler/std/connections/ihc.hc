/// Identity hyper-connections: streams that are gated, never mixed.
/// With z = P H / rms(H) over all n d entries:  pre_i = sigmoid(ap zp_i + bp_i) + 1e-6,
/// post_k = 2 sigmoid(aq zq_k + bq_k);  x = norm(sum_i pre_i H_i);  H_k becomes H_k + post_k y
/// Source:   Chimera, arXiv:2607.28611; also an ablation of mHC, arXiv:2512.24880, and used by Hy4.
/// Begins:   the sources do not say. As `mhc` here: bp reads stream `start % n`, bq = 0 writes 1
///           everywhere. Decay on P and Q only.
/// Cost:     2 n^2 d + 2n + 2 parameters, a third of `mhc`'s; (2 n^2 + 2n) d multiplications a position.
/// Options:  those of `shc`; head_streams, the read-out of the sources, adds n^2 d + n + 1 once.
/// Differs:  Hy4 adds 1e-6 to `post`, too.
/// Use:      the cheapest dynamic streams: in trained networks mixing maps stay near the identity.
connection ihc(n = 4, norm = rmsnorm, start = site, expand = replicate, reduce = head_streams) {
  state H[n, d];
  param P[n, n, d], Q[n, n, d] ~ normal(0.02);          // to read and write maps
  param bp[n]    = 6 * onehot(start % n) - 3  nodecay;
  param bq[n]    = 0                          nodecay;
  param ap = 0.01, aq = 0.01                  nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]) + 1e-6;
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = H[k,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
