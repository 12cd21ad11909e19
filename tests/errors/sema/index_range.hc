fn f(x[n]) -> y[n] {
  let y[i] = x[i + 1];     // expected-error {{E0214}} {{the result `y`}}
}
fn g(L[4, 4]) -> y {
  let y = L[4, 0];         // expected-error {{E0212}} {{this reaches entry 4, but the axis of `L` has 4 (0 to 3)}}
}
fn h(x[8]) -> y[8] {
  let y[i < 8] = x[i - 1]; // expected-error {{this reaches entry -1}}
}
fn k(x[8]) -> y[8] {
  let y[i < 8] = x[i / 3]; // expected-error {{is not a whole number}}
}
