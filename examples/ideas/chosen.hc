use std;

/// A text is continued by who attends to all of what came before it, read both ways, of which an encoder's deeper
/// layers see only the eight places that score highest (mixture of depths). Raposo et al. 2024, arXiv:2404.02258.
fn rank(score) -> r {
  let all = all_positions(score);
  let r = sum[u] select(all[u] > score || (all[u] == score && u < here), 1, 0);
}

model chosen {
  const vocab = 256, context = 16, past = 32, k = 8, d = 64, heads = 4;
  positions t <= context causal;
  positions s <= past;
  positions c <= k;
  input  before[s] : token(vocab);
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  param w[d] ~ normal(0.1);
  let v = trunk(embed(before, E)) { attn = residual : attention(heads, causal = false); mlp = residual : mlp(2 * d); };
  let score = sigmoid(sum[i] w[i] * v[i]), r = rank(score);
  let at    = argmax[u < past] select(r[u] == c, 1, 0);           // the place of rank c
  let z[i]  = v[at, i];
  let g = trunk(z) { attn = residual : attention(heads, causal = false); mlp = residual : mlp(2 * d); };
  let back = argmax[j < k] select(r == j, 1, 0);                  // and the way back
  let m[i] = v[i] + select(r < k, score * g[back, i], 0);
  let h = trunk(embed(tokens, E)) {
    attn  = residual : attention(heads);
    cross = residual : attention(heads, causal = false, k = m);
    mlp   = residual : mlp(2 * d);
  };
  let logits[i] = sum[j] E[i,j] * h[j];
  loss cross_entropy(logits, next);
}

train chosen {
  data text { before[s] = bytes[s]; tokens[t] = bytes[t + 32]; next[t] = bytes[t + 33]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
