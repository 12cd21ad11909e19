branch leak : x[d] -> y[d] {
  let m[c] = batch_mean(x[c]);
  let y[c] = x[c] - m[c];     // expected-error {{E0314}} {{summed over all of them}}
}
model l {
  const d = 8;
  positions t <= 16 causal;
  input x[t, d] : real;
  target y[t, d] : real;
  param p = 1;
  let z[c] = p * x[c];
  let h = trunk(z) { a = residual : leak; };
  loss mse(h, y);
}
