fn f(x) -> y {
  let a = x.norm(1);           // expected-error {{E0101}} {{`norm` stands behind a point, where no function is called}} {{what is applied comes first: `norm(x)`}}
  let b = x.sum;               // expected-error {{`sum` is a reserved word and cannot be a name}}
  let c = x.2;                 // expected-error {{`.2` is not a number}} expected-error {{found `.2`}}
  let e = x.;                  // expected-error {{E0101}} {{expected a name}}
  let y = a + b;
}
