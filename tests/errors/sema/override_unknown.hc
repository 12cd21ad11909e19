// arguments: --set dd=4
// expected-error@* {{E0403}} {{the model `m` has no constant `dd` to set}} {{did you mean `d`?}}
use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear(d); };
  loss mse(h, y);
}
