use std;

/// A connection of one's own: two streams; one is carried as it is, the other forgets at a rate that
/// the streams' contents decide for every feature.
connection forgetful(norm = rmsnorm) {
  state keep[d], flow[d];
  param W[d] = 0, b[d] = 2  nodecay;
  begin keep = x, flow = x;
  let f[c]      = sigmoid(W[c] * norm(flow)[c] + b[c]);
  let u[c]      = keep[c] + flow[c];
  read  x       = norm(u);
  write keep[c] = keep[c] + y[c],
        flow[c] = f[c] * flow[c] + (1 - f[c]) * y[c];
  let s[c]      = keep[c] + flow[c];
  end   x       = norm(s);
}

/// The character model with it; `--set wiring=residual` gives the plain one.
model characters {
  const vocab = 256, context = 64, d = 128, heads = 4, blocks = 4, wiring = forgetful;
  positions t <= context causal;

  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);

  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E);

  let h = trunk(x) {
    repeat blocks {
      attn = wiring : attention(heads, rotary = true);
      mlp  = wiring : swiglu(2 * d);
    }
  };

  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

train characters {
  data      text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 1e-3, betas = (0.9, 0.99), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.1);
  batch 12; steps 2000; clip 1.0; seed 1;
}
