fn f(x[n]) -> y {
  let y = 0;
  for k < { y = k; }        // expected-error {{expected an expression, found `{`}}
  for k 3 { y = k; }        // expected-error {{expected `<`, found `3`}} {{written `for k < n}}
  for < 3 { y = 1; }        // expected-error {{expected a name, found `<`}}
  for k <= 3 { y = k; }     // expected-error {{expected `<`, found `<=`}} {{written `for k < n}}
  for k < 3 y = k;          // expected-error {{expected `{`}}
}

connection c {
  state h[d];
  begin h = x;
  for k < 2 { read x = h; } // expected-error {{`read` belongs in a connection}}
  write h = y;
  end x = h;
}

train f {
  for k < 3 { steps 3; }    // expected-error {{`for` belongs in a model or a definition}}
}
