use std;

/// Two streams coupled by two branches: each changes by what a branch makes of the other, so that the
/// streams before a site follow from those behind it. Gomez et al. 2017, arXiv:1707.04585.
connection reversible(norm = rmsnorm) {
  require branches == 2, "two branches: `a = reversible : f & g;`";
  state a[d], b[d];
  begin a = x, b = x;
  let f      = branch[0](norm(b));
  let p[c]   = a[c] + f[c];
  let g      = branch[1](norm(p));
  write a    = p;
  write b[c] = b[c] + g[c];
  let s[c]   = 0.5 * (a[c] + b[c]);
  end   x    = norm(s);
}

model reversible {
  const vocab = 256, context = 32, d = 64, heads = 4, blocks = 2;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let h = trunk(embed(tokens, E)) { repeat blocks { both = reversible : attention(heads) & mlp(2 * d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train reversible {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-3);
  batch 16; steps 100;
}
