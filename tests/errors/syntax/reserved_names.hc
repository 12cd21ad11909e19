fn f(x) -> y {
  let sum = 1;              // expected-error {{expected a name, found `sum`}} {{`sum` is a reserved word}}
  let if = 1;               // expected-error {{`if` is a reserved word}}
  let y = x;
}
fn trunk(x) = x;            // expected-error {{`trunk` is a reserved word}}
fn read(write) = write;
