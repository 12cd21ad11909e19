fn f(x, y) -> z {
  let a = x # y;            // expected-error {{E0102}} {{comments begin with `//`}}
  // expected-error@-1 {{found `y`}}
  let b = x × y;            // expected-error {{`×` has no meaning here}} {{write `*`}}
  // expected-error@-1 {{found `y`}}
  let c = x ? y;            // expected-error {{write `select(condition, a, b)`}}
  // expected-error@-1 {{found `y`}}
  let λ = 1;                // expected-error {{names are made of ASCII letters}}
  // expected-error@-1 {{expected a name, found `=`}}
  let e = $x;               // expected-error {{`$` has no meaning here}}
  let f = x | y;            // expected-error {{write `||` for or}}
  // expected-error@-1 {{found `y`}}
  let g = x − y;            // expected-error {{write `-`}}
  // expected-error@-1 {{found `y`}}
  let z = x;
}
