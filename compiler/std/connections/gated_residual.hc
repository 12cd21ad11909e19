/// A residual whose sum is a mixture, learned from both sides.
/// x = norm(h);  h becomes g h + (1 - g) y with g = sigmoid(W [y, h] + b)
/// Source:   package hyper-connections 0.4.11, GatedResidual.
/// Begins:   W and b uniform in +-1 / sqrt(2 d), so that g is near 1/2. Decay on both.
/// Cost:     2 d + 1 parameters and 2 d multiplications; fine = true: d times as many.
/// Options:  fine = true has a gate for each feature, false one for all of them.
/// Differs:  the norms of the read and of the end are the connection's here.
/// Use:      where the stream should forget. `join = gate_join` brings it to streams that have one.
connection gated_residual(fine = false, norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  let   gate = gate_join(y, h, fine);
  write h = gate;
  end   x = norm(h);
}

/// g h + (1 - g) y with g = sigmoid(W [y, h] + b): one gate, or with `fine` one for each feature.
module gate_join(fine = false) : y[d], h[d] -> z[d] {
  const k = select(fine, d, 1);
  param W[k, 2, d], b[k] ~ uniform(-1 / sqrt(2 * d), 1 / sqrt(2 * d));   // of y, of h
  let g[i] = sigmoid((sum[c] W[i,0,c] * y[c]) + (sum[c] W[i,1,c] * h[c]) + b[i]);
  let z[c] = y[c] + g[c % k] * (h[c] - y[c]);
}
