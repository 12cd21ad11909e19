/// Attention over positions in `heads` heads, without biases. With `rotary = true` queries and keys
/// turn with their position. Only positions at which the condition `mask` holds are attended to.
branch attention(heads, causal = true, rotary = false) : x[d], mask = true -> y[d] {
  const e = d / heads;
  param Wq[heads, e, d], Wk[heads, e, d], Wv[heads, e, d] ~ normal(0.02);
  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));
  let q[h,a] = sum[c] Wq[h,a,c] * x[c];
  let k[h,a] = sum[c] Wk[h,a,c] * x[c];
  let v[h,a] = sum[c] Wv[h,a,c] * x[c];
  if rotary {
    let o = attend(rope(q), rope(k), v, causal = causal, mask = mask);
  } else {
    let o = attend(q, k, v, causal = causal, mask = mask);
  }
  let y[c]   = sum[h,a] Wo[c,h,a] * o[h,a];
}
