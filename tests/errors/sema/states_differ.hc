use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = shc : linear(d);
    b = frac(m = 2) : linear(d);   // expected-error {{E0302}} {{`frac` keeps `H` [2, 4], but this trunk's state is `H` [4, 8]}} {{set by `shc`}} {{share its state}}
  };
  let g = trunk(x) {
    a = residual : linear(d);
    b = shc : linear(d);           // expected-error {{E0302}} {{`shc` keeps `H` [4, 8], but this trunk's state is `h` [8]}} {{begin the trunk with `shc`}}
  };
  loss mse(h, y) + mse(g, y);
}
