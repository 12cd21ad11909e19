/// Attention over positions in `heads` heads, without biases. Keys and values are made of the same
/// input as queries unless they are given their own. With `rotary = true` queries and keys turn with
/// their position. Only positions at which the condition `mask` holds are attended to, and `bias` is added
/// to scores by head and distance: see `attend`.
/// `kv_heads` keys and values serve as many groups of heads (grouped-query attention, Ainslie et al.
/// 2023, arXiv:2305.13245). `qk` is a norm of each head's queries and keys: qk = rmsnorm_affine, one gain
/// for all heads. With `sphere = true` its weights are held to unit length along the width (see `ngpt`),
/// and scores are of queries times keys times sqrt(e). `dropout` drops entries of the result, not attention's weights.
branch attention(heads, causal = true, rotary = false, kv_heads = heads, dropout = 0,
                 qk = none, sphere = false)
    : q[d], k[d] = q, v[d] = k, mask = true, bias = 0 -> y[d] {
  require heads % kv_heads == 0, "`kv_heads` divides `heads`: each key serves a group of heads";
  require d % heads == 0, "the width splits into equal heads";
  const e = d / heads;
  param Wq[heads, e, d], Wk[kv_heads, e, d], Wv[kv_heads, e, d] ~ normal(0.02);
  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));
  const scale = select(sphere, sqrt(e), 1 / sqrt(e));
  if sphere {
    project Wq[h,a,c] = unit(Wq[h,a])[c], Wk[h,a,c] = unit(Wk[h,a])[c], Wv[h,a,c] = unit(Wv[h,a])[c];
    project Wo[c,h,a] = Wo[c,h,a] * rsqrt(sum[i] Wo[i,h,a]^2 + 1e-12);
  }
  let Qa[h,a] = sum[c] Wq[h,a,c] * q[c];
  let Ka[h,a] = sum[c] Wk[h,a,c] * k[c];
  let of_q = qk, of_k = qk;
  let Q[h,a] = of_q(Qa[h])[a];
  let K[h,a] = of_k(Ka[h])[a];
  let V[h,a] = sum[c] Wv[h,a,c] * v[c];
  if rotary {
    let o = attend(rope(Q), rope(K), V, causal = causal, scale = scale, mask = mask, bias = bias);
  } else {
    let o = attend(Q, K, V, causal = causal, scale = scale, mask = mask, bias = bias);
  }
  let z[c] = sum[h,a] Wo[c,h,a] * o[h,a];
  let y    = dropout(z, dropout);
}

/// `attention` that gives the values it attends to, and takes others: they are `own` times what its
/// weights make of `v`, and `v0` (see `resformer`). In both, head lies behind head.
branch attention_values(heads, causal = true, rotary = false, kv_heads = heads, dropout = 0, qk = none)
    : q[d], k[d] = q, v[d] = k, v0[kv_heads * floor(d / heads)] = 0, own = 1, mask = true, bias = 0
    -> y[d], values[kv_heads * floor(d / heads)] {
  require heads % kv_heads == 0, "`kv_heads` divides `heads`: each key serves a group of heads";
  require d % heads == 0, "the width splits into equal heads";
  const e = d / heads;
  param Wq[heads, e, d], Wk[kv_heads, e, d], Wv[kv_heads, e, d] ~ normal(0.02);
  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));
  let Qa[h,a] = sum[c] Wq[h,a,c] * q[c];
  let Ka[h,a] = sum[c] Wk[h,a,c] * k[c];
  let of_q = qk, of_k = qk;
  let Q[h,a] = of_q(Qa[h])[a];
  let K[h,a] = of_k(Ka[h])[a];
  let V[h,a] = own * (sum[c] Wv[h,a,c] * v[c]) + v0[h * e + a];
  if rotary {
    let o = attend(rope(Q), rope(K), V, causal = causal, mask = mask, bias = bias);
  } else {
    let o = attend(Q, K, V, causal = causal, mask = mask, bias = bias);
  }
  let values[h * e + a] = V[h,a];
  let z[c] = sum[h,a] Wo[c,h,a] * o[h,a];
  let y    = dropout(z, dropout);
}
