use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let z = x + position(t) + position(t) + position(t);   // expected-error {{E0307}} {{two parameters would have the name `pos`}} {{let first}}
  loss mse(z, y);
}
