// What is called is a name, or one of those that it stands for.
fn f(x[d]) -> y[d] {
  let a = x[0][1](2);       // expected-error {{expected the name of what is called, perhaps with an index}}
  let c = tanh(x)[0](2);    // expected-error {{expected the name of what is called}}
  let y = x;
}
