use std;

/// Two streams of which one is read as it was a position earlier, gated by what is there now.
connection token_shift(norm = rmsnorm) {
  state H[2, d];
  param F[d] = 0 nodecay;
  begin H[i,c] = x[c];
  let f[c]     = sigmoid(F[c] * H[1,c]);
  let before   = shift(H[1], 1);
  let u[c]     = H[0,c] + f[c] * before[c];
  read  x      = norm(u);
  write H[k,c] = H[k,c] + y[c];
  let s[c]     = 0.5 * (H[0,c] + H[1,c]);
  end   x      = norm(s);
}

model token_shift {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = token_shift : attention(heads); mlp = token_shift : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train token_shift {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
