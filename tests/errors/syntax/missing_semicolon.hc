// The error points behind the statement that is not ended, and the next one is still read.
fn f(x) -> y {
  let a = x           // expected-error {{E0101}} {{expected `;` after the statement, found `let`}}
  let b = a + ;       // expected-error {{expected an expression, found `;`}}
  let y = b           // expected-error {{expected `;` after the statement, found `}`}}
}
