use std;

/// A gate on any wiring, which opens with what the branch reads: here on four streams with a doubly
/// stochastic mixing, whose text it does not touch.
connection gated(inner = residual) {
  around inner;
  param g[d] = 0, b = -1 nodecay;
  let open   = sigmoid((sum[c] g[c] * inner.x[c]) + b);
  write y[c] = open * y[c];
}

/// How far each state goes of the way that the inner connection would have it go.
connection damped(inner = residual) {
  around inner;
  param s = 1 nodecay;
  let k = sigmoid(s);
  write each old, new = old + k * (new - old);
}

model wrapped {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = gated(inner = shc) : attention(heads); mlp = damped(inner = gated(inner = shc)) : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train wrapped {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
