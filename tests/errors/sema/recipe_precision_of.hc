model n {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}

train n {
  precision bf16(sums = 2); // expected-error {{`bf16` has no parameter `sums`}} {{it takes: nothing}}
}
