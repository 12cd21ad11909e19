use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = shc : linear(d);
    b = residual : linear(d);   // expected-error {{E0302}} {{`residual` keeps `h` [8], but this trunk's state is `H` [4, 8]}} {{set by `shc`}} {{share its state}}
  };
  loss mse(h, y);
}
