/// Attention over positions in `heads` heads, without biases. With `rotary = true` queries and keys
/// turn with their position. Only positions at which the condition `mask` holds are attended to.
/// `kv_heads` keys and values serve as many groups of heads (grouped-query attention, Ainslie et al.
/// 2023, arXiv:2305.13245). `dropout` drops entries of the result, not attention's weights.
branch attention(heads, causal = true, rotary = false, kv_heads = heads, dropout = 0)
    : x[d], mask = true -> y[d] {
  require heads % kv_heads == 0, "`kv_heads` divides `heads`: each key serves a group of heads";
  const e = d / heads;
  param Wq[heads, e, d], Wk[kv_heads, e, d], Wv[kv_heads, e, d] ~ normal(0.02);
  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));
  let q[h,a] = sum[c] Wq[h,a,c] * x[c];
  let k[h,a] = sum[c] Wk[h,a,c] * x[c];
  let v[h,a] = sum[c] Wv[h,a,c] * x[c];
  if rotary {
    let o = attend(rope(q), rope(k), v, causal = causal, mask = mask);
  } else {
    let o = attend(q, k, v, causal = causal, mask = mask);
  }
  let z[c] = sum[h,a] Wo[c,h,a] * o[h,a];
  let y    = dropout(z, dropout);
}
