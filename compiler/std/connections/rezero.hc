/// ReZero: each branch enters by a number of its own that begins at zero, in place of a norm.
/// x = h;  h becomes h + a y
/// Source:   Bachlechner et al. 2020, arXiv:2003.04887.
/// Begins:   a = 0, one a site: the trunk is the identity. No decay on it.
/// Cost:     1 parameter a site.
/// Options:  `begins` is what a is at first; norm = rmsnorm and begins = 1 is `residual`.
/// Use:      deep trunks without norms. The first steps move only what the last layers see.
connection rezero(norm = none, begins = 0) {
  state h[d];
  param a = begins  nodecay;
  begin h = x;
  read  x = norm(h);
  write h[c] = h[c] + a * y[c];
  end   x = norm(h);
}
