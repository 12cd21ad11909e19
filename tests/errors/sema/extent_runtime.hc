branch b : x[d] -> y[d] {
  param w[x] = 1;          // expected-error {{E0206}} {{`x` is not known before the model runs}}
  let y[c] = x[c] * sum[i] w[i];
}
