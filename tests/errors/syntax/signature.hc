branch a {                  // expected-error {{a branch needs a signature}}
  let y[c] = x[c];
}
branch b(h) : x[d] {        // expected-error {{`->`, found `{`}}
  let y[c] = x[c];
}
branch c(h) : -> y[d] {     // expected-error {{expected a name, found `->`}}
  let y[c] = x[c];
}
fn f(x) { let y = x; }      // expected-error {{found `{`}}
fn g(x) -> y = x;           // expected-error {{found `=`}}
