/// Multi-gate residuals: streams that are read by attention over them and written by a gate each.
/// a = softmax over i of w . rms(H_i) / sqrt(d);  x = norm(sum_i a_i H_i);
/// H_i becomes (1 - g_i) H_i + g_i y with g_i = sigmoid(v . rms(H_i) / sqrt(d) + b_i)
/// Source:   arXiv:2605.23259.
/// Begins:   copies of x; w = v = 0: all streams are read alike; b = -1, -2, ... -n, as equal streams
///           with equal gates would stay equal for ever. Decay on w and v only.
/// Cost:     2 d + n parameters a site; 3 n d multiplications a position.
/// Options:  `reduce` makes one of the streams at the end.
/// Differs:  the source's biases are negative and distinct; which is not said.
/// Use:      where streams should forget, each at its own pace.
connection multi_gate(n = 4, norm = rmsnorm, expand = replicate, reduce = mean_streams) {
  state H[n, d];
  let paces[i < n] = -1 - i;
  param w[d], v[d] = 0;
  param b[n] = paces  nodecay;
  begin H    = expand(x, n);
  let N[i,c] = rmsnorm(H[i])[c];
  let a[i]   = softmax[i] (sum[c] w[c] * N[i,c]) / sqrt(d);
  let g[i]   = sigmoid((sum[c] v[c] * N[i,c]) / sqrt(d) + b[i]);
  let u[c]   = sum[i] a[i] * H[i,c];
  read  x    = norm(u);
  write H[i,c] = H[i,c] + g[i] * (y[c] - H[i,c]);
  let s      = reduce(H);
  end   x    = norm(s);
}
