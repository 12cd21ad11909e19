// Branches applied like functions take their inputs first.
model m {
  const d = 8, heads = 2;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = x + attention(x, heads);      // expected-error {{E0204}} {{this number stands in the place of the input `k` of `attention`}} {{`heads = ...`}} {{5 inputs first}} {{at a site of a trunk}}
  let g = x + attention(x, heads = heads);   // expected-error {{E0218}} {{`attention` needs `blocks`, which is known only inside a trunk's sites}} {{have it at a site: `let h = trunk(x) { a = }}
  let k = x + linear(x, d);
  loss mse(g, y) + mse(h, y) + mse(k, y);
}
