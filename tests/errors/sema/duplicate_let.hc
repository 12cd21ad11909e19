fn f(x[n]) -> y[n] {
  let a[i] = x[i];
  let a[i] = 2 * x[i];     // expected-error {{E0202}} {{`a` is defined twice}} {{the first definition}}
  let y[i] = a[i];
}
