use std;

/// A block of layers as a differential equation's right side, stepped by Heun's rule: the branch is
/// a slope, taken where the stream is and where it would lead.
connection heun(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let k      = branch(norm(h));
  let e[c]   = h[c] + k[c];
  let m      = branch(norm(e));
  write h[c] = h[c] + 0.5 * (k[c] + m[c]);
  end   x    = norm(h);
}

model heun {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = heun : attention(heads); mlp = heun : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train heun {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
