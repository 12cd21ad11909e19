/// A gated pair of linear maps, and one back. Shazeer 2020, arXiv:2002.05202.
/// `dropout` drops entries of the result. With other functions it is `geglu` and `reglu`.
branch swiglu(hidden, act = silu, dropout = 0) : x[d] -> y[d] {
  param Wg[hidden, d], Wu[hidden, d] ~ normal(0.02);
  param Wd[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  let g[k] = act(sum[c] Wg[k,c] * x[c]);
  let u[k] = sum[c] Wu[k,c] * x[c];
  let z[c] = sum[k] Wd[c,k] * (g[k] * u[k]);
  let y    = dropout(z, dropout);
}

/// `swiglu` with a gate of gelu.
const geglu = swiglu(act = gelu);

/// `swiglu` with a gate of relu.
const reglu = swiglu(act = relu);
