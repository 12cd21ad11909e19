fn f(x[n]) -> y[n] {
  let y[i] = (x[i] > 0) * x[i];   // expected-error {{E0217}} {{a condition stands where a number is needed}} {{select(condition, 1, 0)}}
}
fn g(x[n]) -> y[n] {
  let y[i] = select(x[i], 1, 0);  // expected-error {{a number stands where a condition is needed}} {{compare it}}
}
