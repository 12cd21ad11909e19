use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(2) { a = residual : linear(d); }; // expected-error {{E0306}} {{one vector a position}}
  loss mse(h, y);
}
