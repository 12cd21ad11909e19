/// SiameseNorm: a stream that is normalised after each sum and one that is not, read together.
/// x = norm(P + ln(Q));  P becomes ln(P + y / sqrt(l + 1)), Q becomes Q + y at site l, from 0;
/// at the end P + ln(Q)
/// Source:   arXiv:2602.08064.
/// Begins:   P and Q as the trunk's x; gains 1.
/// Cost:     three norms a site, 2 d parameters; two streams.
/// Options:  `ln` is the norm of the streams, `norm` that of what a branch reads.
/// Differs:  the source leaves open whether a layer is a site; here it is.
/// Use:      as `resi_dual`, whose read sees the normalised stream alone.
connection siamese_norm(norm = rmsnorm, ln = rmsnorm_affine) {
  let before = ln, after = ln;
  state P[d], Q[d];
  begin P = x, Q = x;
  let u[c] = P[c] + before(Q)[c];
  read  x  = norm(u);
  let s[c] = P[c] + y[c] / sqrt(site + 1);
  write P  = after(s);
  write Q[c] = Q[c] + y[c];
  end   x[c] = P[c] + ln(Q)[c];
}
