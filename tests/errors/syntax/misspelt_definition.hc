conection c {               // expected-error {{expected a definition, found `conection`}} {{did you mean `connection`?}}
  state h[d];
  begin h = ;               // expected-error {{expected an expression, found `;`}}
}
brnch b : x[d] -> y[d] {    // expected-error {{did you mean `branch`?}}
  let y[c] = x[c];
}
fn f(x) = x;
