/// LayerNorm scaling: what branches read shrinks with depth, as the stream's size grows with it.
/// x = norm(h) / sqrt(l) in layer l, from 1;  h becomes h + y;  at the end norm(h)
/// Source:   Sun et al. 2025, arXiv:2502.05795 (the curse of depth).
/// Begins:   no parameters but the norm's.
/// Cost:     that of its norm and d multiplications a position.
/// Options:  `layer`; a layer is two sites.
/// Use:      deep pre-norm networks, whose last layers else hardly do anything.
connection layer_norm_scaling(norm = rmsnorm, layer = floor(site / 2) + 1) {
  state h[d];
  begin h = x;
  let n = norm(h);
  read  x[c] = n[c] / sqrt(layer);
  write h[c] = h[c] + y[c];
  end   x = norm(h);
}
