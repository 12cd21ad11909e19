/// Division by the root of the mean square.
fn rmsnorm(x[n], eps = 1e-6) -> y[n] {
  let r    = rsqrt(mean[c] x[c]^2 + eps);
  let y[c] = r * x[c];
}

/// Mean 0, variance 1; no gain, no bias.
fn layernorm(x[n], eps = 1e-5) -> y[n] {
  let m    = mean[c] x[c];
  let z[c] = x[c] - m;
  let r    = rsqrt(mean[c] z[c]^2 + eps);
  let y[c] = r * z[c];
}
