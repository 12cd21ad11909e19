branch a {                  // expected-error {{a branch needs a signature}}
  const e = 3;
}
branch b(h) : x[d] {        // expected-error {{`->`, found `{`}}
  let y[c] = x[c];
}
branch c(h) : , -> y[d] {   // expected-error {{expected a name or `->`, found `,`}}
  let y[c] = x[c];
}
module nothing : -> y {
  let y = 1;
}
fn f(x) { let y = x; }      // expected-error {{found `{`}}
fn g(x) -> y = x;           // expected-error {{found `=`}}
