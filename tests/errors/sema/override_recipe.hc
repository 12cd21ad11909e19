// arguments: --set train.stesp=4
// expected-error@* {{E0401}} {{the recipe has no `stesp`}} {{did you mean `steps`?}}
use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear(d); };
  loss mse(h, y);
}
