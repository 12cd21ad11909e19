use std;

/// GPT-2 (Radford et al. 2019), to begin with other people's weights: `hcc import` reads those of
/// transformers by gpt2.map and those of nanoGPT by nanogpt.map. As it stands it is the smallest
/// of the four. nanoGPT takes gelu as it is: `--set act=gelu`; `--set bias=false` leaves out biases.
model gpt2 {
  const vocab = 50257, context = 1024, d = 768, heads = 12, blocks = 12;
  const bias = true, dropout = 0.1, act = gelu_tanh;
  const n = 4, wiring = residual, norm = gpt2_norm;
  positions t <= context causal;

  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);

  param E[vocab, d], P[context, d] ~ normal(0.02);
  let x = dropout(embed(tokens, E) + embed(t, P), dropout);

  let h = trunk(x) {
    repeat blocks {
      attn = wiring : gpt2_attention(heads);
      mlp  = wiring : gpt2_mlp(4 * d);
    }
  };

  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}

/// layernorm with a gain, and a bias unless that is left out.
module gpt2_norm(eps = 1e-5, bias = true) : x[d] -> y[d] {
  param g[d] = 1  nodecay;
  let z = layernorm(x, eps);
  if bias {
    param b[d] = 0  nodecay;
    let y[c] = g[c] * z[c] + b[c];
  } else {
    let y[c] = g[c] * z[c];
  }
}

branch gpt2_attention(heads, bias = true, dropout = 0) : x[d] -> y[d] {
  const e = d / heads;
  param Wq[heads, e, d], Wk[heads, e, d], Wv[heads, e, d] ~ normal(0.02);
  param Wo[d, heads, e] ~ normal(0.02 / sqrt(2 * blocks));
  let q[h,a] = sum[c] Wq[h,a,c] * x[c];
  let k[h,a] = sum[c] Wk[h,a,c] * x[c];
  let v[h,a] = sum[c] Wv[h,a,c] * x[c];
  if bias {
    param bq[heads, e], bk[heads, e], bv[heads, e], bo[d] = 0  nodecay;
    let o    = attend(q + bq, k + bk, v + bv, causal = true);
    let z[c] = (sum[h,a] Wo[c,h,a] * o[h,a]) + bo[c];
  } else {
    let o    = attend(q, k, v, causal = true);
    let z[c] = sum[h,a] Wo[c,h,a] * o[h,a];
  }
  let y = dropout(z, dropout);
}

branch gpt2_mlp(hidden, act = gelu_tanh, bias = true, dropout = 0) : x[d] -> y[d] {
  param W1[hidden, d] ~ normal(0.02);
  param W2[d, hidden] ~ normal(0.02 / sqrt(2 * blocks));
  let u[k] = sum[c] W1[k,c] * x[c];
  if bias {
    param b1[hidden], b2[d] = 0  nodecay;
    let f    = act(u + b1);
    let z[c] = (sum[k] W2[c,k] * f[k]) + b2[c];
  } else {
    let f    = act(u);
    let z[c] = sum[k] W2[c,k] * f[k];
  }
  let y = dropout(z, dropout);
}

train gpt2 {
  data      tokens { tokens[t] = tokens[t]; next[t] = tokens[t + 1]; held_out = 0.1; }
  optimizer adamw(lr = 6e-4, betas = (0.9, 0.95), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.1);
  batch 8; steps 2000; clip 1.0; seed 1;
}
