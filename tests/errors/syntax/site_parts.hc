model m {
  let h = trunk(x) {
    a = 2 * residual : mlp(8);        // expected-error {{expected a connection before `:`}}
    b = residual : mlp(8) + mlp(9);   // expected-error {{expected a branch after `:`}}
    c = residual : mlp(8) & ;         // expected-error {{expected an expression, found `;`}}
    d = residual : ;                  // expected-error {{expected an expression, found `;`}}
    e = residual : mlp(8) & attention(2);
  };
}
