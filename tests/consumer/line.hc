model line {
  const d = 8;
  input x[d] : real;
  target y : real;
  param w[d] = 1;
  let p = sum[c] w[c] * x[c];
  loss (p - y)^2;
}
