model m {                   // expected-error {{E0104}} {{this block is never closed}}
  let h = trunk(x) {
    repeat 2 {
      attn = residual : attention(4);
  };
  let y = ;                 // expected-error {{expected an expression, found `;`}}
}
