/// Two linear maps around a function. `dropout` drops entries of the result. With `sphere = true` the
/// weights are held to unit length along the width (see `ngpt`).
branch mlp(hidden, act = gelu, dropout = 0, sphere = false) : x[d] -> y[d] {
  param W1[hidden, d] ~ normal(0.02);
  param W2[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  if sphere {
    project W1[k,c] = unit(W1[k])[c], W2[c,k] = W2[c,k] * rsqrt(sum[i] W2[i,k]^2 + 1e-12);
  }
  let u[k] = act(sum[c] W1[k,c] * x[c]);
  let z[c] = sum[k] W2[c,k] * u[k];
  let y    = dropout(z, dropout);
}
