/// Harmonised hyper-connections: static streams whose mixing a controller scales.
/// It holds what all sites together make of the streams near a target, without a gradient.
/// a = softmax(p), b = softmax(q), M = 1 + s L / 20;  x = norm(sum_i a_i H_i)
/// H_k becomes sum_j M_kj H_j + b_k y
/// After each step, with C the product of all sites' M and G the largest sum of |C| along a row or column:
/// g becomes 0.95 g + 0.05 G, and s becomes s (gain / g)^power, kept between `least` and 1
/// Source:   the code at github.com/curv-institute/harmonized-hyper-connections, commit f6bdf61.
/// Begins:   p = q = 0 (reads and writes the mean), L from normal(0.05), s = g = 1. Decay on all.
/// Cost:     n (n + 2) parameters a site, two buffers for the trunk; (n^2 + 2n) d multiplications a
///           position and n^3 a site and step.
/// Options:  those of `shc`. reduce = sum_streams where the code has the mean.
/// Differs:  there a forward pass changes s before it uses it, in evaluation, too; here s is what the
///           last step of training left, so it sees each change of the parameters one step later.
/// Use:      to watch or hold a static mixing's gain; the last site of the trunk must be one of these.
connection harmonised(n = 4, norm = rmsnorm, gain = 5, least = 0.05, power = 1, expand = replicate,
                      reduce = mean_streams) {
  state H[n, d];
  let one[i < n, j < n] = identity[i,j];
  carry C[n, n] = one;
  buffer s = 1, g = 1   shared;
  param p[n], q[n] = 0;
  param L[n, n] ~ normal(0.05);                          // destination, source

  begin H      = expand(x, n);
  let a[i]     = softmax[i] p[i];
  let b[k]     = softmax[k] q[k];
  let M[k,j]   = one[k,j] + s * L[k,j] / 20;
  probe M;

  let u[c]     = sum[i] a[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + b[k] * y[c], C[i,j] = sum[k] M[i,k] * C[k,j];
  if site == sites - 1 {
    let G = max(max[i] (sum[j] abs(C[i,j])), max[j] (sum[i] abs(C[i,j])));
    let t = 0.95 * g + 0.05 * G;
    probe G;
    update g = t, s = clamp(s * (gain / max(t, 1e-6)) ^ power, least, 1);
  }
  let r        = reduce(H);
  end   x      = norm(r);
}
