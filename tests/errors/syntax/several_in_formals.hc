fn f(a b, 3, c = ) -> y {   // expected-error {{found `b`}}
  // expected-error@-1 {{expected a name, found `3`}}
  // expected-error@-2 {{expected an expression, found `)`}}
  let z = = 2;              // expected-error {{expected an expression, found `=`}} {{without a space}}
  let y = 2;
}
