/// A vision transformer on 8 by 8 digits, cut into patches of 2 by 2.
///
///     python3 scripts/sample_data.py data
///     build/hcc train examples/vit.hc --data data
model vit {
  const side = 8, patch = 2, classes = 10;
  const d = 48, heads = 4, blocks = 4, n = 4, wiring = mhc;
  const across = side / patch;
  positions (r <= across, c <= across);                 // a position for each patch

  input  image[side, side] : real;
  target digit             : token(classes);

  param P[d, patch, patch] ~ normal(0.5);
  param R[across, d], C[across, d] ~ normal(0.3);
  let x[k] = (sum[a, b] P[k,a,b] * image[patch * r + a, patch * c + b]) + R[r,k] + C[c,k];

  let h = trunk(x) {
    repeat blocks {
      attn = wiring : attention(heads, causal = false);
      mlp  = wiring : mlp(2 * d);
    }
  };

  let pooled[k] = mean[r, c] h[k];
  param head[classes, d] ~ normal(0.02);
  let logits[v] = sum[k] head[v,k] * pooled[k];
  loss   cross_entropy(logits, digit);
  metric accuracy(logits, digit);
}

train vit {
  data table {
    image[i, j] = columns[8 * i + j] / 16;
    digit       = columns[64];
    train       = "digits.csv";
    held_out    = shuffled(0.2);
  }
  optimizer adamw(lr = 2e-3, betas = (0.9, 0.99), weight_decay = 0.5);
  schedule  cosine(warmup = 100, floor = 0.05);
  batch 64; steps 1500; clip 1.0; eval_every 250; seed 1;
}
