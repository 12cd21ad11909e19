fn f(x[d]) -> y[d] {
  param w[d] = 1;           // expected-error {{E0106}} {{`param` belongs}} {{holds no parameters}}
  state h[d];               // expected-error {{`state` belongs in a connection}}
  let y[c] = w[c] * x[c];
}
branch b : x[d] -> y[d] {
  read x = y;               // expected-error {{`read` belongs in a connection}}
  attn = c : b;             // expected-error {{a site belongs}}
  y = x;                    // expected-error {{only `iterate` may assign}} {{write `let y}}
  iterate 3 {
    input t : real;         // expected-error {{`input` belongs in a model}}
  }
}
train t {
  let a = 1;                // expected-error {{`let` belongs}}
  steps = 3;                // expected-error {{only `iterate` may assign}} {{without `=`}}
  steps 3;
}
model m {
  repeat 2 { }              // expected-error {{`repeat` belongs inside `trunk}}
  data text { a = b; }      // expected-error {{`data` belongs in a train block}}
  steps 3;                  // expected-error {{there is no statement `steps`}}
}
