use std;

/// A branch that says how far it wants to be gone through again: its second result opens the second
/// run, with the same weights.
branch asking(hidden) : x[d] -> y[d], more {
  param U[hidden, d], D[d, hidden], g[d] ~ normal(0.1);
  let u[k] = gelu(sum[c] U[k,c] * x[c]);
  let y[c] = sum[k] D[c,k] * u[k];
  let more = sigmoid(sum[c] g[c] * x[c]);
}

connection halting(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let y, more = branch(norm(h));
  let e[c]    = h[c] + y[c];
  let z, _    = branch(norm(e));
  write h[c]  = e[c] + more * z[c];
  end   x     = norm(h);
}

model halting {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = residual : attention(heads); mlp = halting : asking(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train halting {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
