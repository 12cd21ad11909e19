fn f(A[n, m]) -> y[n] {
  let y[i] = A[i,0,0];     // expected-error {{E0211}} {{`A` has 2 axes, but this is index 3}}
}
fn g(x) -> y {
  let a = 3;
  let y = a[0];            // expected-error {{the number 3 has no axes to index}}
}
