/// ResiDual: a post-norm stream that branches read, and beside it the plain sum of what they gave.
/// x = P;  P becomes norm(P + y), Q becomes Q + y;  at the end P + norm(Q)
/// Source:   Xie et al. 2023, arXiv:2304.14802.
/// Begins:   P and Q as the trunk's x; gains 1.
/// Cost:     that of its norm; two streams.
/// Use:      between pre-norm, whose late layers do little, and post-norm, whose gradients vanish.
connection resi_dual(norm = layernorm_affine) {
  state P[d], Q[d];
  begin P = x, Q = x;
  read  x = P;
  let s[c] = P[c] + y[c];
  write P = norm(s);
  write Q[c] = Q[c] + y[c];
  end   x[c] = P[c] + norm(Q)[c];
}
