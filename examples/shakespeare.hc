use std;

/// A character model whose residual wiring is one word: try `--set wiring=residual`.
model shakespeare {
  const vocab = 256, context = 64, d = 128, heads = 4, blocks = 4, n = 4, wiring = mhc;
  positions t <= context causal;

  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);

  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E) + position(t);

  let h = trunk(x) {
    repeat blocks {
      attn = wiring : attention(heads, causal = true);
      mlp  = wiring : mlp(4 * d, act = gelu);
    }
  };

  let logits[v] = sum[c] E[v,c] * h[c];
  loss   cross_entropy(logits, next);
  metric accuracy(logits, next);
}

train shakespeare {
  data      text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 1e-3, betas = (0.9, 0.99), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.1);
  batch 12; steps 2000; clip 1.0; seed 1;
}
