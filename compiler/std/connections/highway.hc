/// Highway: a learned gate for each feature decides between the stream and the branch.
/// x = h;  h becomes (1 - T) h + T y with T = sigmoid(W h + b)
/// Source:   Srivastava et al. 2015, arXiv:1505.00387.
/// Begins:   W normal(0.02), b = -2, so that T is 0.12. Decay on W only.
/// Cost:     d^2 + d parameters a site and d^2 multiplications a position.
/// Options:  norm = rmsnorm normalises what branches read and what the trunk gives.
/// Differs:  the paper draws W as any layer of its networks.
/// Use:      where it all began; `gated_residual` is its descendant, whose gate sees the branch, too.
connection highway(norm = none, bias = -2) {
  state h[d];
  param W[d, d] ~ normal(0.02);
  param b[d] = bias  nodecay;
  begin h = x;
  read  x = norm(h);
  let T[k] = sigmoid((sum[c] W[k,c] * h[c]) + b[k]);
  write h[c] = h[c] + T[c] * (y[c] - h[c]);
  end   x = norm(h);
}
