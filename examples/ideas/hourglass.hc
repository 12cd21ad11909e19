use std;

/// Half of the blocks see every fourth position. Nawrot et al. 2022, arXiv:2110.13711.
model hourglass {
  const vocab = 256, context = 32, d = 64, heads = 4;
  positions t <= context causal;
  positions s <= floor((context + 3) / 4);
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  param P[4, d, d] ~ normal(0.5 / sqrt(d));
  let f = trunk(embed(tokens, E)) { attn = residual : attention(heads); mlp = residual : mlp(2 * d); };
  let p[i] = sum[k < 4, c] P[k,i,c] * f[4 * s + k - 3, c];        // of positions up to 4 s
  let g = trunk(p) { attn = residual : attention(heads); mlp = residual : mlp(2 * d); };
  let u[c] = f[c] + g[floor(t / 4), c];
  let h = trunk(u) { attn = residual : attention(heads); mlp = residual : mlp(2 * d); };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train hourglass {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
