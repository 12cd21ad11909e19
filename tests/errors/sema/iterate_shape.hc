fn f(x[n]) -> v[n] {
  let v[i] = x[i];
  iterate 2 {
    v[i,j] = 2 * v[i];     // expected-error {{E0211}} {{`v` has 1 axis, but 2 are given}}
  }
}
fn g(x[n]) -> v[n] {
  let v[i] = x[i];
  iterate x {              // expected-error {{E0206}}
    v[i] = 2 * v[i];
  }
}
