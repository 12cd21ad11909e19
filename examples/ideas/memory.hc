use std;

/// Beside the stream, a memory of what attention gave, which some branches read; the MLPs between them
/// are plain residuals, and the memory passes them by.
connection memory(keep = 0.9, norm = rmsnorm) {
  state h[d], K[2, d];
  param R[2] = 0, W[2] = onehot(0) nodecay;
  begin h = x, K[i,c] = 0 * x[c];
  let u[c]     = h[c] + sum[i] R[i] * K[i,c];
  read  x      = norm(u);
  write h[c]   = h[c] + y[c];
  write K[i,c] = keep * K[i,c] + W[i] * y[c];
  let s[c]     = h[c] + sum[i] R[i] * K[i,c];
  end   x      = norm(s);
}

model memory {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { mlp = residual : mlp(2 * d); attn = memory : attention(heads); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train memory {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
