model m {
  fn f(x) = x;              // expected-error {{found `fn`}} {{definitions stand at the top of a file}}
  let a = 1;
}
let b = 2;                  // expected-error {{expected a definition, found `let`}} {{statements stand inside}}
