// Each argument that is wrong is said, and what stands in nested brackets goes with its argument.
fn f(x) -> y {
  let a = clamp(x 1, 0 2, -, 3);
  // expected-error@-1 {{found `1`}}
  // expected-error@-2 {{found `2`}}
  // expected-error@-3 {{expected an expression, found `,`}}
  let b = clamp(x y(1, 2), 3, 4);   // expected-error {{found `y`}}
  let y = clamp(x, , 1);            // expected-error {{expected an expression, found `,`}}
}
