use std;

/// A GPT of 4 × 768, for measuring: every extent is open to `--set`.
model gpt {
  const vocab = 256, context = 512, d = 768, heads = 12, blocks = 4, n = 4, wiring = residual;
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
  loss cross_entropy(logits, next);
}

train gpt {
  data      text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 3e-4, betas = (0.9, 0.95), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.1);
  batch 4; steps 1000; clip 1.0; seed 1;
}
