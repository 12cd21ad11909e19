/// Orthogonal hyper-connections: four streams turn as a quaternion does, by one from either side.
/// With z = R H / rms(H) over all 4 d entries:  p, q = unit((1, 0, 0, 0) + ar z + br), M = L_p R_q, a
/// rotation of SO(4);  pre and post as in `ihc`;
/// x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   arXiv:2609.02672.
/// Begins:   br = 0 and R normal(0.02) with a scale of 0.01: M is near the identity; the rest as `ihc`.
///           Decay on P, Q, R only.
/// Cost:     64 d + 19 parameters; 80 d multiplications a position.
/// Options:  those of `shc`.
/// Differs:  four streams, no other count. The source does not say how reads and writes begin.
/// Use:      mixing that loses nothing: it keeps every length, and gradients theirs.
connection ohc(norm = rmsnorm, start = site, expand = replicate, reduce = sum_streams) {
  state H[4, d];
  param P[4, 4, d], Q[4, 4, d], R[2, 4, 4, d] ~ normal(0.02);
  param bp[4]    = 6 * onehot(start % 4) - 3  nodecay;
  param bq[4] = 0, br[2, 4] = 0               nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01       nodecay;

  begin H      = expand(x, 4);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]) + 1e-6;
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let g[s,a]   = [1, 0, 0, 0][a] + ar * r * (sum[i,c] R[s,a,i,c] * H[i,c]) + br[s,a];
  let M        = rotation(unit(g[0]), unit(g[1]));
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}

/// The rotation h -> p h q of quaternions: L_p R_q.
fn rotation(p[4], q[4]) -> M[4, 4] {
  let L = [[p[0], -p[1], -p[2], -p[3]], [p[1], p[0], -p[3], p[2]],
           [p[2], p[3], p[0], -p[1]], [p[3], -p[2], p[1], p[0]]];
  let R = [[q[0], -q[1], -q[2], -q[3]], [q[1], q[0], q[3], -q[2]],
           [q[2], -q[3], q[0], q[1]], [q[3], q[2], -q[1], q[0]]];
  let M[k,j] = sum[i] L[k,i] * R[i,j];
}
