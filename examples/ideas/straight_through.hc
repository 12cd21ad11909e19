use std;

/// Branches whose result is rounded to quarters, and differentiated as if it were not.
fn rounded(x) = x + stop_gradient(0.25 * floor(4 * x + 0.5) - x);

connection straight_through(norm = rmsnorm) {
  state h[d];
  begin h    = x;
  read  x    = norm(h);
  write h[c] = h[c] + rounded(y[c]);
  end   x    = norm(h);
}

model straight_through {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = straight_through : attention(heads); mlp = straight_through : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train straight_through {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
