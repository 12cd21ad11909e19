/// Two linear maps around a function. `dropout` drops entries of the result.
branch mlp(hidden, act = gelu, dropout = 0) : x[d] -> y[d] {
  param W1[hidden, d] ~ normal(0.02);
  param W2[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  let u[k] = act(sum[c] W1[k,c] * x[c]);
  let z[c] = sum[k] W2[c,k] * u[k];
  let y    = dropout(z, dropout);
}
