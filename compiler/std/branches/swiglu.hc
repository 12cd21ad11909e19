/// A gated pair of linear maps, and one back. Shazeer 2020, arXiv:2002.05202.
/// `dropout` drops entries of the result. With other functions it is `geglu` and `reglu`.
/// With `sphere = true` the weights are held to unit length along the width (see `ngpt`).
branch swiglu(hidden, act = silu, dropout = 0, sphere = false) : x[d] -> y[d] {
  param Wg[hidden, d], Wu[hidden, d] ~ normal(0.02);
  param Wd[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  if sphere {
    project Wg[k,c] = unit(Wg[k])[c], Wu[k,c] = unit(Wu[k])[c];
    project Wd[c,k] = Wd[c,k] * rsqrt(sum[i] Wd[i,k]^2 + 1e-12);
  }
  let g[k] = act(sum[c] Wg[k,c] * x[c]);
  let u[k] = sum[c] Wu[k,c] * x[c];
  let z[c] = sum[k] Wd[c,k] * (g[k] * u[k]);
  let y    = dropout(z, dropout);
}

/// `swiglu` with a gate of gelu.
const geglu = swiglu(act = gelu);

/// `swiglu` with a gate of relu.
const reglu = swiglu(act = relu);
