/// A small residual convnet on 8 by 8 digits. One word swaps the connection: `--set wiring=mhc`.
///
///     python3 scripts/sample_data.py data
///     build/hcc train examples/convnet.hc --data data
model convnet {
  const side = 8, classes = 10;
  const d = 24, k = 3, blocks = 4, n = 4, wiring = shc;
  positions (r <= side, c <= side);

  input  pixel[r, c] : real;
  target digit       : token(classes);

  param S[d, k, k] ~ normal(0.3);
  let w    = window(pixel, k, k);
  let x[e] = sum[a, b] S[e,a,b] * w[a,b];

  let h = trunk(x) {
    repeat blocks {
      conv = wiring : conv(d, k);
    }
  };

  let pooled[e] = mean[r, c] h[e];
  param head[classes, d] ~ normal(0.02);
  let logits[v] = sum[e] head[v,e] * pooled[e];
  loss   cross_entropy(logits, digit);
  metric accuracy(logits, digit);
}

train convnet {
  data table {
    pixel[r, c] = columns[8 * r + c] / 16;
    digit       = columns[64];
    train       = "digits.csv";
    held_out    = shuffled(0.2);
  }
  optimizer adamw(lr = 2e-3, betas = (0.9, 0.99), weight_decay = 0.1);
  schedule  cosine(warmup = 100, floor = 0.05);
  batch 64; steps 800; clip 1.0; eval_every 200; seed 1;
}
