/// Pre-norm residual for branches that change the width: the stream is mapped to it where it differs.
/// x = norm(h);  h becomes h + y where y is as wide, else map(h) + y, and the trunk is as wide as y
/// Source:   He et al. 2015, arXiv:1512.03385, shortcuts of kind B; residual_transform in package
///           hyper-connections 0.4.11.
/// Begins:   the map is a linear one unless another is given: from normal(0.02). Decay on it.
/// Cost:     d e parameters and multiplications where the width goes from d to e.
/// Use:      networks in stages. The model's head sees the last width.
connection projection(norm = rmsnorm, map = linear) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  if extent(y) == d { let r = h; } else { let r = map(h, extent(y)); }
  write h[c < extent(y)] = r[c] + y[c];
  end   x = norm(h);
}
