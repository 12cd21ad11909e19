use std;

/// The network of examples/shakespeare.hc for connections whose branches have a second input z: keys
/// and values are made of it, and the MLP adds it. Its streams all begin as the embedding.
model shakespeare {
  const vocab = 256, context = 64, d = 128, heads = 4, blocks = 4, n = 4;
  const wiring = hyper_connections_inputs;
  positions t <= context causal;

  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);

  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E) + position(t);
  let Z[i < n, c] = x[c];

  let h = trunk(x) {
    repeat blocks {
      attn = wiring(Z) : attention_of(heads);
      mlp  = wiring(Z) : mlp_of(4 * d);
    }
  };

  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

branch attention_of(heads) : x[d], z[e] -> y[d] {
  const a = d / heads;
  param Wq[heads, a, d], Wk[heads, a, e], Wv[heads, a, e] ~ normal(0.02);
  param Wo[d, heads, a] ~ normal(0.02 / sqrt(2 * blocks));
  let q[h,i] = sum[c] Wq[h,i,c] * x[c];
  let k[h,i] = sum[c] Wk[h,i,c] * z[c];
  let v[h,i] = sum[c] Wv[h,i,c] * z[c];
  let o      = attend(q, k, v, causal = true);
  let y[c]   = sum[h,i] Wo[c,h,i] * o[h,i];
}

branch mlp_of(hidden) : x[d], z[d] -> y[d] {
  param W1[hidden, d] ~ normal(0.02);
  param W2[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  let u[k] = gelu(sum[c] W1[k,c] * (x[c] + z[c]));
  let y[c] = sum[k] W2[c,k] * u[k];
}

train shakespeare {
  data      text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 1e-3, betas = (0.9, 0.99), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.1);
  batch 12; steps 2000; clip 1.0; seed 1;
}
