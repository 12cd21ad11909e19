// Heads that do not divide the width: said of the line that asks for them.
model m {
  const d = 10, heads = 4;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = residual : attention(heads);    // expected-error {{E0229}} {{`attention`: the width splits into equal heads}} {{`d` is 10, `heads` is 4}}
    b = residual : attention(5);
  };
  loss mse(h, y);
}
