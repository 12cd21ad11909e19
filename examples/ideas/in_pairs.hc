use std;

/// Streams that blocks mix alike in pairs: one matrix for every two.
connection in_pairs(norm = rmsnorm) {
  state H[2, d];
  param A[2, 2] = identity nodecay shared(floor(block / 2));
  begin H[i,c] = x[c];
  let u[c]     = mean[i] H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] A[k,j] * H[j,c] + y[c];
  let s[c]     = mean[i] H[i,c];
  end   x      = norm(s);
}

model in_pairs {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 3;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = in_pairs : attention(heads); mlp = in_pairs : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train in_pairs {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
