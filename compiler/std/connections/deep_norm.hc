/// DeepNorm: the norm comes after the sum, in which the stream outweighs the branch.
/// x = h;  h becomes norm(alpha h + y)
/// Source:   Wang et al. 2022, arXiv:2203.00555, of a decoder of N layers: alpha = (2 N)^(1/4).
/// Begins:   no parameters but the norm's; the branches' weights, but for attention's queries and keys,
///           (8 N)^(-1/4) times as large as they say.
/// Cost:     that of its norm.
/// Options:  `alpha`, and `begins`, by which branches begin smaller; a layer is two sites, so that
///           sites = 2 N. With both 1 it is `postnorm`.
/// Use:      very deep post-norm networks.
connection deep_norm(norm = layernorm_affine, alpha = sites ^ 0.25, begins = (4 * sites) ^ -0.25) {
  state h[d];
  begin h = x, branch = begins;
  read  x = h;
  let s[c] = alpha * h[c] + y[c];
  write h = norm(s);
  end   x = h;
}
