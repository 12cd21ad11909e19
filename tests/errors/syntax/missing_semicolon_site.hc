model m {
  let h = trunk(x) {
    repeat 2 {
      attn = residual : attention(4)     // expected-error {{expected `;` after the statement, found `mlp`}}
      mlp  = residual : mlp(8);
    }
  }                                      // expected-error {{expected `;` after the statement, found `let`}}
  let y = h;
}
