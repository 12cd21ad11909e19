/// DeepNorm: the norm comes after the sum, in which the stream outweighs the branch.
/// x = h;  h becomes norm(alpha h + y)
/// Source:   Wang et al. 2022, arXiv:2203.00555, of a decoder of N layers: alpha = (2 N)^(1/4).
/// Begins:   no parameters but the norm's.
/// Cost:     that of its norm.
/// Options:  `alpha`; a layer is two sites, so that sites = 2 N. alpha = 1 is `postnorm`.
/// Differs:  there the weights of branches begin (8 N)^(-1/4) times as large, which is the branches' to
///           say: their initial values are their own.
/// Use:      very deep post-norm networks.
connection deep_norm(norm = layernorm_affine, alpha = sites ^ 0.25) {
  state h[d];
  begin h = x;
  read  x = h;
  let s[c] = alpha * h[c] + y[c];
  write h = norm(s);
  end   x = h;
}
