use std;
connection c(norm = rmsnorm) {
  state h[d], g[d];        // expected-warning {{E0303}} {{the state `g` is never written}}
  begin h = x;
  begin g = x;
  read  x = norm(h);
  write h[c] = h[c] + y[c] + 0 * g[c];
  end   x = norm(h);
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = c : linear(d); };
  loss mse(h, y);
}
