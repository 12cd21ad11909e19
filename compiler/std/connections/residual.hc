/// Pre-norm residual: each branch adds to one stream what it makes of the stream's norm.
/// x = norm(h);  h becomes h + y;  at the end norm(h)
/// Source:   He et al. 2016, arXiv:1603.05027 (identity mappings); as transformers have it, Xiong et
///           al. 2020, arXiv:2002.04745.
/// Begins:   with the trunk's x; no parameters of its own (norm = rmsnorm_affine has a gain).
/// Cost:     none but the norm's.
/// Use:      what every other connection is compared with.
connection residual(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  write h[c] = h[c] + y[c];
  end   x = norm(h);
}
