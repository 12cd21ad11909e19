// One run reports them all.
model m {
  const = 3;                // expected-error {{expected a name, found `=`}}
  param E[4 4] ~ normal(1); // expected-error {{found `4`}}
  positions t < 4;          // expected-error {{expected `<=`, found `<`}}
  input x[t] real;          // expected-error {{expected `:`, found `real`}}
  let a + 1;                // expected-error {{found `+`}}
  loss ;                    // expected-error {{expected an expression, found `;`}}
  if { let b = 1; }         // expected-error {{expected an expression, found `{`}}
  let c 3;                  // expected-error {{found `3`}}
}
