/// A residual that treats the mean over positions apart: only what differs from it is added.
/// x = norm(h);  h becomes h + b (y - my) + a (my - mh), my and mh the means of y and h over the
/// positions up to this one, each feature by itself
/// Source:   package hyper-connections 0.4.11, MVSplitResidualUpdate; Lu 2026, arXiv:2605.06169.
/// Begins:   a = 0, b = 0.03: a small step without its mean. No decay.
/// Cost:     2 d parameters; two means, each as much as one head of attention without its maps.
/// Options:  causal = false takes the means over all positions.
/// Differs:  the package has the means over all positions alone, which show a position the later ones.
///           The norms of the read and of the end are the connection's here.
/// Use:      where the mean over positions would grow with depth. `join = mv_split_join` brings it to
///           streams that have a join.
connection mv_split_residual(causal = true, norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  let   split = mv_split_join(y, h, causal);
  write h = split;
  end   x = norm(h);
}

/// h + b (y - my) + a (my - mh), with the means of y and h over positions.
module mv_split_join(causal = true) : y[d], h[d] -> z[d] {
  param a[d] = 0, b[d] = 0.03  nodecay;
  let my   = position_mean(y, causal), mh = position_mean(h, causal);
  let z[c] = h[c] + b[c] * (y[c] - my[c]) + a[c] * (my[c] - mh[c]);
}

/// The mean over the positions up to each one, or over all of them: attention whose scores are zero.
fn position_mean(x[d], causal = true) -> m[d] {
  let v[h < 1, c] = x[c];
  let o           = attend(v, v, v, causal = causal, scale = 0);
  let m[c]        = o[0,c];
}
