use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear(d); };
  loss mse(h, y);
}
train m {
  optimizer adamw(lr = true, betas = 0.9);   // expected-error {{E0402}} {{`lr` is a number, not `true`}} expected-error {{`betas` are two numbers}}
}
