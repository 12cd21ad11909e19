// Definitions named in quotes: said where the text stands, once for all that use it.
model m {
  const d = 8;
  const wiring = "mhc";    // expected-error {{E0305}} {{a connection is needed, and this is a text}} {{without quotes: `mhc`}} {{used here}}
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { repeat 2 { a = wiring : linear(d); b = wiring : mlp(8); } };
  let g = trunk(x) {
    a = residual : mlp(8, act = "gelu");   // expected-error {{E0305}} {{a function is needed, and this is a text}} {{`gelu`}} {{used here}}
  };
  loss mse(h, y) + mse(g, y);
}
