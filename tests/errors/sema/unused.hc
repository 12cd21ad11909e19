use std;
branch b : x[d] -> y[d] {
  param used, spare = 1;   // expected-warning {{E0230}} {{the parameter `spare` is never used}}
  let z[c] = x[c];         // expected-warning {{the value `z` is never used}}
  let y[c] = used * x[c];
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : b; };
  loss mse(h, y);
}
