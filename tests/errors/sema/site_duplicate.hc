use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { 
    a = residual : linear(d);
    a = residual : linear(d);   // expected-error {{E0202}} {{two sites would have the name `trunk.a`}}
  };
  loss mse(h, y);
}
