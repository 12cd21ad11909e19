use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : gelu; }; // expected-error {{E0305}} {{a branch is needed here, but this is the function `gelu`}}
  loss mse(h, y);
}
