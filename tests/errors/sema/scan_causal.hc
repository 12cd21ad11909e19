branch backwards : x[d] -> y[d] {
  let h[c < d] = 0;
  scan reverse {                      // expected-error {{goes through the positions from the last one}} {{`reverse` sees what is to come}}
    h[c] = tanh(h[c] + x[c]);
  }
  let y = h;
}
model m {
  const d = 4;
  positions t <= 5 causal;
  input x[t, d] : real;
  let h = trunk(x) { a = residual : backwards; };
  loss mean[c] h[c]^2;
}
