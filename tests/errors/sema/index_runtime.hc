branch b : x[d] -> y[d] {
  let m = max[c] x[c];
  let y[c] = x[m];         // expected-error {{E0206}} {{an index is known before the model runs}} {{embed}}
}
