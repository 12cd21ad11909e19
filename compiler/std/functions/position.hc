/// A learned vector for each position.
module position(t, size = extent(t)) : -> x[d] {
  param pos[size, d] ~ normal(0.02);
  let x = embed(t, pos);
}
