fn f(x[n]) -> v[n] {
  let v[i] = x[i];
  iterate 2.5 {            // expected-error {{E0207}} {{the number of iterations is 2.5, but must be a whole number}}
    v[i] = 2 * v[i];
  }
}
