use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear(4); }; // expected-error@* {{E0213}} {{`y` has 4}} {{instance of the connection `residual`}}
  loss mse(h, y);
}
