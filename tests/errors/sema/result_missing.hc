branch b : x[d] -> y[d] { // expected-error {{E0222}} {{`b` never defines its result `y`}} {{let y... = ...}}
  let z[c] = x[c];
}
