// Loops of other languages: one message each.
branch braces : x[d] -> y[d] {
  let h = x;
  for i in range(3) {             // expected-error {{E0101}} {{expected `<`, found `in`}} {{`for k < n { … }`}}
    let z = tanh(h);
    h = h + z;
    h = h + sin(h);
  }
  let y = h;
}
branch colons : x[d] -> y[d] {
  let h = x;
  for i in range(3):              // expected-error {{E0101}} {{expected `<`, found `in`}}
    h = h + tanh(h);
    h = h + sin(h);
  let y = h;
}
branch whiles : x[d] -> y[d] {
  let h = x;
  while 1 < 2 {                   // expected-error {{E0101}} {{`iterate n { … }`}}
    h = h + 1;
    k = h;
  }
  let y = h;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    for i in range(4) { a = residual : linear(d); b = residual : linear(d); }   // expected-error {{E0101}} {{`repeat n { … }`}}
    for i < 4 { c = residual : linear(d); }                                     // expected-error {{E0106}} {{`repeat n { … }`}}
  };
  loss mse(h, y);
}
