/// nGPT: the stream moves on the unit sphere, a step of learned size towards each branch's result.
/// x = h;  h becomes unit(h + s (unit(y) - h)), s a number a feature
/// Source:   Loshchilov et al. 2024, arXiv:2410.01131.
/// Begins:   h = unit(x); s = 0.05, kept as s sqrt(d) / 0.05 would have the size of a weight: a = 1 / sqrt(d).
///           No decay.
/// Cost:     d parameters a site; 5 d multiplications a position.
/// Options:  `begins` is s at first.
/// Differs:  the weights of embeddings and branches lie on spheres along the width there, too: give
///           branches `sphere = true`, which holds them there by `project`, and attention qk = unit_scaled;
///           for embeddings write `project E[v,c] = unit(E[v])[c];`.
/// Use:      with such branches, no norms, no decay, no warm-up.
connection ngpt(begins = 0.05) {
  state h[d];
  param a[d] = 1 / sqrt(d)  nodecay;
  begin h = unit(x);
  read  x = h;
  let t = unit(y);
  let g[c] = h[c] + a[c] * sqrt(d) * begins * (t[c] - h[c]);
  let to = unit(g);
  write h = to;
  end   x = h;
}
