fn f(x) -> y {
  let a = 3;
  let y = a(x);            // expected-error {{E0205}} {{`a` is the number 3 and cannot be called}} {{defined here}}
}
