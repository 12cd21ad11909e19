/// LayerScale: a pre-norm residual whose branches enter by small numbers, one a feature.
/// x = norm(h);  h becomes h + l * y, feature by feature;  at the end norm(h)
/// Source:   Touvron et al. 2021, arXiv:2103.17239 (CaiT).
/// Begins:   l = 0.1 in trunks of up to 18 layers, 1e-5 up to 24, 1e-6 beyond; a layer is two sites. No
///           decay on l.
/// Cost:     d parameters a site and d multiplications a position.
/// Options:  `begins` is what l is at first; 1 is `residual`.
/// Use:      deep networks on pictures; what it gains shrinks with warm-up.
connection layer_scale(norm = rmsnorm,
                       begins = select(sites <= 36, 0.1, select(sites <= 48, 1e-5, 1e-6))) {
  state h[d];
  param l[d] = begins  nodecay;
  begin h = x;
  read  x = norm(h);
  write h[c] = h[c] + l[c] * y[c];
  end   x = norm(h);
}
