/// How a disease goes on, from a table of patients: a residual network over one vector a sample.
///
///     python3 scripts/sample_data.py data
///     build/hcc train examples/regression.hc --data data
model regression {
  const features = 10, d = 16, blocks = 2, n = 2, wiring = dhc;
  input  patient[features] : real;
  target progress          : real;

  param E[d, features] ~ normal(0.3);
  let x[k] = sum[i] E[k,i] * patient[i];

  let h = trunk(x) {
    repeat blocks {
      mlp = wiring : mlp(2 * d);
    }
  };

  param W[d] ~ normal(0.1);
  param b = 0 nodecay;
  let found = (sum[k] W[k] * h[k]) + b;
  loss   (found - progress)^2;                          // in squared deviations: 1 is the mean's
  metric distance(found, progress);
  probe  found;                                         // `hcc predict RUN --output found`
}

/// How far off, in deviations.
fn distance(a, b) = abs(a - b);

train regression {
  data table {
    patient[k] = standardise(columns["age" + k]);
    progress   = standardise(columns["target"]);
    train      = "diabetes.csv";
    held_out   = shuffled(0.25);
  }
  optimizer adamw(lr = 1e-3, weight_decay = 0.1);
  schedule  cosine(warmup = 20, floor = 0.05);
  batch 32; steps 400; clip 1.0; eval_every 100; seed 1;
}
