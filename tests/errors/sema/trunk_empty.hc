use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { }; // expected-error {{E0306}} {{this trunk has no sites}}
  loss mse(h, y);
}
