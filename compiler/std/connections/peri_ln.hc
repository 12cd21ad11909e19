/// Peri-LN: a norm before each branch and one behind it.
/// x = norm(h);  h becomes h + norm(y);  at the end norm(h)
/// Source:   Kim et al. 2025, arXiv:2502.02732; used by Gemma 2 and OLMo 2, whose first norm is missing.
/// Begins:   gains 1.
/// Cost:     2 d parameters a site, and d at the end.
/// Options:  norm = rmsnorm has no gains: what a branch adds then always has one size.
/// Use:      where the stream's size runs away in pre-norm networks.
connection peri_ln(norm = rmsnorm_affine) {
  let before = norm, after = norm;
  state h[d];
  begin h = x;
  read  x = before(h);
  write h[c] = h[c] + after(y)[c];
  end   x = norm(h);
}
