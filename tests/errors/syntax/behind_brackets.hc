// An error right behind a closing bracket does not swallow the statements that follow.
fn f(x[d]) -> y[d] {
  let a = sum[i];           // expected-error {{expected an expression, found `;`}}
  let b = ;                 // expected-error {{expected an expression, found `;`}}
  let v[i] = x[i];
  iterate 3 {
    v[i] 3;                 // expected-error {{found `3`}}
    v[i] = ;                // expected-error {{expected an expression, found `;`}}
    v[i] = 2 * v[i];
  }
  let c[i] 3;               // expected-error {{expected `,` or `=`, found `3`}}
  let z[i] = x[i] 3;        // expected-error {{found `3`}}
  let e = trunk(x);         // expected-error {{expected `{`, found `;`}}
  let g = ;                 // expected-error {{expected an expression, found `;`}}
  let y[i] = v[i];
}
