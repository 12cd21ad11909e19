/// A residual that adds only what is new: the part of a branch's result at right angles to the stream.
/// x = norm(h);  h becomes h + y - (y . u) u with u = h / |h|
/// Source:   package hyper-connections 0.4.11, OrthogonalResidualUpdate.
/// Begins:   no parameters of its own.
/// Cost:     2 d multiplications.
/// Differs:  the package computes it in double precision; the norms are the connection's here.
/// Use:      the stream's length can only grow. `join = orthogonal_join` brings it to streams that
///           have one.
connection orthogonal_residual(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  write h = orthogonal_join(y, h);
  end   x = norm(h);
}

/// h + y less the part of y along h.
fn orthogonal_join(y[d], h[d]) -> z[d] {
  let p    = (sum[c] y[c] * h[c]) / max(sum[c] h[c]^2, 1e-24);
  let z[c] = h[c] + y[c] - p * h[c];
}
