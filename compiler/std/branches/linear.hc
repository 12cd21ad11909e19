/// A linear map, without bias.
branch linear(out) : x[d] -> y[out] {
  param W[out, d] ~ normal(0.02);
  let y[k] = sum[c] W[k,c] * x[c];
}
