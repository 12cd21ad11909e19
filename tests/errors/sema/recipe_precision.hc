model m {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}

train m {
  precision fp16; // expected-error {{the precision is `f32`, `bf16`, `bf16_streams` or `f64`}} {{for instance `bf16`}}
}
