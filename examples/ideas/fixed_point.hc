use std;

/// A stream that the branch leaves where it is, as far as four damped turns find it; the gradient is
/// of one more turn, as if they had got there.
connection fixed_point(turns = 4, norm = rmsnorm) {
  state h[d];
  begin h = x;
  let z = h;
  iterate turns { z[c] = 0.5 * z[c] + 0.5 * (h[c] + branch(norm(z))[c]); }
  let settled = stop_gradient(z);
  let f       = branch(norm(settled));
  write h[c]  = 0.5 * settled[c] + 0.5 * (h[c] + f[c]);
  end   x     = norm(h);
}

model fixed_point {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = fixed_point : attention(heads); mlp = fixed_point : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train fixed_point {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
