use std;

/// What the middle of the trunk holds must already tell the next letter, and what its last site found is kept near.
model deep_supervision {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = residual : attention(heads); mlp = residual : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
  let middle[c] = rmsnorm(h.attn[1].h)[c];
  let early[v]  = sum[c] E[v,c] * middle[c];
  loss 0.3 * cross_entropy(early, next);
  penalty 0.01 * mean[c] (h.state.h[c] - h.mlp[1].h[c])^2;
}

train deep_supervision {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
