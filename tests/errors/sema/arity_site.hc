model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear; }; // expected-error {{E0204}} {{`linear` needs its argument `out`}}
  loss mse(h, y);
}
