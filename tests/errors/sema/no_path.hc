use std;
branch b : x[d] -> y[d] {
  param w = 1;
  param v = 1;             // expected-warning {{E0231}} {{the parameter `v` has no path to the loss}} {{freeze}}
  let s = v * 2;
  probe s;
  let y[c] = w * x[c];
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : b; };
  loss mse(h, y);
}
