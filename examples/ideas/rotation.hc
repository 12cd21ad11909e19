use std;

/// Two streams turned by an angle that each site learns: a mixing matrix that is a rotation whatever it
/// learns, written as one.
connection rotation(norm = rmsnorm) {
  state H[2, d];
  param angle = 0 nodecay;
  begin H[i,c] = x[c];
  let M        = [[cos(angle), -sin(angle)], [sin(angle), cos(angle)]];
  let P[k,c]   = sum[j] M[k,j] * H[j,c];
  read  x      = norm(P[0]);
  write H      = [add(P[0], y), P[1]];
  let s[c]     = 0.5 * (H[0,c] + H[1,c]);
  end   x      = norm(s);
}

fn add(a[d], b[d]) -> c[d] { let c[i] = a[i] + b[i]; }

model rotation {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = rotation : attention(heads); mlp = rotation : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train rotation {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
