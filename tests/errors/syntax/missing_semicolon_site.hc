model m {
  const d = 8;
  positions t <= 4;
  input  a[t, d] : real;
  target b[t, d] : real;
  let h = trunk(a) {
    repeat 2 {
      one = residual : linear(d)         // expected-error {{expected `;` after the statement, found `two`}}
      two = residual : mlp(8);
    }
  }                                      // expected-error {{expected `;` after the statement, found `loss`}}
  loss mse(h, b);
}
