branch b(n = 0) : x[d] -> y[d] { // expected-error {{E0207}} {{`n` is 0, but must lie between 1}} {{it serves as an extent here}}
  param w[n] = 1;
  let y[c] = x[c] * sum[i] w[i];
}
