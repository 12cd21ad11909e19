use std;

/// A minimal gated unit in attention's place: what is kept and what is taken sum to 1. One scan over the
/// positions, whose gradient is a scan back. Feng et al. 2024, arXiv:2410.01201.
branch min_gru(hidden) : x[d] -> y[d] {
  param Wz[hidden, d], Wh[hidden, d], Wo[d, hidden] ~ normal(0.1);
  let z[k] = sigmoid(sum[c] Wz[k,c] * x[c]);
  let u[k] = sum[c] Wh[k,c] * x[c];
  let m[k] = recur(1 - z[k], z[k] * u[k]);
  let y[c] = sum[k] Wo[c,k] * m[k];
}

model gated_recurrence {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { mix = residual : min_gru(d); mlp = residual : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train gated_recurrence {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
