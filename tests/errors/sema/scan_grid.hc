branch along : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {                              // expected-error {{those of a grid}}
    h[c] = tanh(h[c] + x[c]);
  }
  let y = h;
}
model m {
  const d = 4;
  positions (r <= 2, s <= 3);
  input x[r, s, d] : real;
  let h = trunk(x) { a = residual : along; };
  loss mean[c] h[c]^2;
}
