use std;

/// An MLP whose features lie on the unit sphere along the width, after each step of the optimiser.
branch spherical(hidden) : x[d] -> y[d] {
  param U[hidden, d], D[d, hidden] ~ normal(1 / sqrt(d));
  param g[hidden] = 1 nodecay;
  project U[k, c] = U[k, c] * rsqrt((sum[i] U[k, i]^2) + 1e-12),
          D[c, k] = D[c, k] * rsqrt((sum[i] D[i, k]^2) + 1e-12);
  let u[k] = gelu(g[k] * sum[c] U[k,c] * x[c]);
  let y[c] = sum[k] D[c,k] * u[k];
}

model spherical {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = residual : attention(heads); mlp = residual : spherical(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train spherical {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
