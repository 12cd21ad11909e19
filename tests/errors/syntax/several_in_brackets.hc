fn f(x[a, b]) -> y {
  let u = x[1, ];           // expected-error {{expected an expression, found `]`}}
  let v = x[;               // expected-error {{expected an expression, found `;`}}
  let w = x[1 2, 3 4];
  // expected-error@-1 {{found `2`}}
  // expected-error@-2 {{found `4`}}
  let y = sum[] x[0, 0];    // expected-error {{expected a name, found `]`}}
}
