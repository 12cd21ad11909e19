use std;

/// Branches that open over the first tenth of training, the first blocks sooner.
connection opened(norm = rmsnorm) {
  state h[d];
  begin h    = x;
  read  x    = norm(h);
  let open   = clamp(10 * step / steps * blocks - block, 0, 1);
  write h[c] = h[c] + open * y[c];
  end   x    = norm(h);
}

model opened {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = opened : attention(heads); mlp = opened : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train opened {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
