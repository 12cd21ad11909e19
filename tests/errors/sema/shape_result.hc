branch b : x[d] -> y[d] {
  let y = 2 * (sum[c] x[c]);   // expected-error {{E0214}} {{the result `y` has 1 axis, but this has 0}}
}
