model m {
  const d = 8;
  positions t <= 4;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) {
    a = 2 * residual : mlp(8);        // expected-error {{expected a connection before `:`}}
    b = residual : mlp(8) + mlp(9);   // expected-error {{expected a branch after `:`}}
    c = residual : mlp(8) & ;         // expected-error {{expected an expression, found `;`}}
    d = residual : ;                  // expected-error {{expected an expression, found `;`}}
    e = residual : mlp(8) & linear(8);
  };
  loss mse(h, z);
}
