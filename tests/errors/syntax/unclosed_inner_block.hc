model m {                   // expected-error {{E0104}} {{this block is never closed}}
  const d = 8;
  positions t <= 4;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) {
    repeat 2 {
      attn = residual : mlp(4);
  };
  loss mse(h, );            // expected-error {{expected an expression, found `)`}}
}
