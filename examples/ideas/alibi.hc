use std;

/// Scores that fall with the distance, in each head at its own rate, and no other word of position.
/// Press et al. 2021, arXiv:2108.12409.
model alibi {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let slopes[h < heads, j < context] = -2 ^ (-8 * (h + 1) / heads) * j;
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = residual : attention(heads, bias = slopes); mlp = residual : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train alibi {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
