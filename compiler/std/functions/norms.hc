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

/// A vector of length sqrt(d) in the direction of x, times 1 + gamma: the norm of the
/// hyper-connections package. No eps enters the length.
module l2norm : x[d] -> y[d] {
  param gamma[d] = 0  nodecay;
  let r    = rsqrt(max(sum[c] x[c]^2, 1e-24));
  let y[c] = sqrt(d) * r * x[c] * (1 + gamma[c]);
}

/// rmsnorm with a learned gain.
module rmsnorm_affine(eps = 1e-6) : x[d] -> y[d] {
  param gain[d] = 1  nodecay;
  let z    = rmsnorm(x, eps);
  let y[c] = gain[c] * z[c];
}

/// layernorm with a learned gain and bias.
module layernorm_affine(eps = 1e-5) : x[d] -> y[d] {
  param gain[d] = 1, bias[d] = 0  nodecay;
  let z    = layernorm(x, eps);
  let y[c] = gain[c] * z[c] + bias[c];
}

/// A vector of length 1 in the direction of x.
fn unit(x[n], eps = 1e-12) -> y[n] {
  let r    = rsqrt(sum[c] x[c]^2 + eps);
  let y[c] = r * x[c];
}

/// A vector of length 1 in the direction of x, times a learned number a feature: nGPT's queries and keys.
module unit_scaled : x[d] -> y[d] {
  param s[d] = 1  nodecay;
  let z    = unit(x);
  let y[c] = s[c] * z[c];
}
