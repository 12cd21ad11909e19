use std;

/// Stochastic depth: while training a sample goes past a branch, more often further up; all of its
/// positions alike. Huang et al. 2016, arXiv:1603.09382.
connection skipped(rate = 0.2, norm = rmsnorm) {
  state h[d];
  begin h    = x;
  read  x    = norm(h);
  let p      = rate * (site + 1) / sites;
  let keep   = select(random(each = sample) < p * training, 0, 1);
  let scale  = select(training > 0, keep / (1 - p), 1);
  write h[c] = h[c] + scale * y[c];
  end   x    = norm(h);
}

model skipped {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { attn = skipped : attention(heads); mlp = skipped : mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train skipped {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
