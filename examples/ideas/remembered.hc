use std;

/// Streams that are read beside a mean of what they held at earlier positions, with a memory a feature.
connection remembered(norm = rmsnorm) {
  state h[d];
  param a[d] = 0 nodecay;
  param r[d] = 1 nodecay;                                 // keeps sigmoid(1) = 0.73 of what it holds
  begin h    = x;
  let keep[c] = sigmoid(r[c]);
  let m[c]   = recur(keep[c], (1 - keep[c]) * h[c]);
  let u[c]   = h[c] + a[c] * m[c];
  read  x    = norm(u);
  write h[c] = h[c] + y[c];
  end   x    = norm(h);
}

model remembered {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = remembered : attention(heads); mlp = remembered : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train remembered {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
