use std;

/// A residual whose stream is smoothed along its features a little, with the same three weights
/// everywhere; at the ends the last feature stands for what lies beyond.
connection neighbours(norm = rmsnorm) {
  state h[d];
  param taps[3] = [0, 1, 0] nodecay;
  begin h = x;
  read  x = norm(h);
  let s[c < d] = sum[k] taps[k] * h[clamp(c + k - 1, 0, d - 1)];
  write h[c]   = s[c] + y[c];
  end   x      = norm(h);
}

model neighbours {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = neighbours : attention(heads); mlp = neighbours : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train neighbours {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
