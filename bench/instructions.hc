use std;

/// What bench/instructions.py counts: branches small, so that most of a step is the connection's.
model instructions {
  const vocab = 64, context = 64, d = 256, width = 40, blocks = 4, n = 4, wiring = residual;
  positions t <= context causal;

  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);

  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E);

  let h = trunk(x) {
    repeat blocks {
      first  = wiring : three(width);
      second = wiring : mlp(width);
    }
  };

  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

/// With three inputs, as attention has, for connections that make one for each.
branch three(width) : q[d], k[d] = q, v[d] = k -> y[d] {
  param Wq[width, d], Wk[width, d], Wv[width, d] ~ normal(0.02);
  param Wo[d, width] ~ normal(0.02);
  let u[a] = sum[c] Wq[a,c] * q[c];
  let w[a] = sum[c] Wk[a,c] * k[c];
  let z[a] = sum[c] Wv[a,c] * v[c];
  let o[a] = (u[a] + w[a]) * z[a];
  let y[c] = sum[a] Wo[c,a] * o[a];
}

train instructions {
  optimizer adamw(lr = 1e-3);
  batch 1; steps 1; seed 1;
}
