fn f(x[d]) -> y[d] {
  param w[d] = 1;           // expected-error {{E0106}} {{`param` belongs}} {{holds no parameters}}
  state h[d];               // expected-error {{`state` belongs in a connection}}
  let y[c] = 2 * x[c];
}
branch b : x[d] -> y[d] {
  read x = y;               // expected-error {{`read` belongs in a connection}}
  attn = c : b;             // expected-error {{a site belongs}}
  z = x;                    // expected-error {{only `iterate`, `scan` and `for` may assign}} {{write `let z}}
  let y[c] = x[c];
  iterate 3 {
    input t : real;         // expected-error {{`input` belongs in a model}}
    y[c] = 2 * y[c];
  }
}
model m {
  positions t <= 4;
  input a[t] : real;
  target e[t] : real;
  param w = 1;
  repeat 2 { }              // expected-error {{`repeat` belongs inside `trunk}}
  data text { a = b; }      // expected-error {{`data` belongs in a train block}}
  steps 3;                  // expected-error {{there is no statement `steps`}}
  lett z = 3;               // expected-error {{did you mean `let`?}}
  loss (w * a - e)^2;
}
train m {
  let a = 1;                // expected-error {{`let` belongs}}
  steps = 3;                // expected-error {{only `iterate`, `scan` and `for` may assign}} {{without `=`}}
  steps 3;
}
fn held(x) -> y {
  buffer b = 1;             // expected-error {{E0106}} {{`buffer` belongs in a connection, branch, module or model}}
  let y = x;
  iterate 2 {
    update b = 2;           // expected-error {{E0106}} {{`update` belongs in a connection, branch, module or model}}
  }
}
