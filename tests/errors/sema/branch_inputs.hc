use std;
branch two : p[d], q[d] -> y[d] {
  let y[c] = p[c] * q[c];
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : two; }; // expected-error {{E0304}} {{`two` needs its input `q`}} {{declared here}}
  loss mse(h, y);
}
