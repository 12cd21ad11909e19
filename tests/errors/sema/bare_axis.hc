branch b : x[d] -> y[d] {
  let y[c] = rmsnorm(x);   // expected-error {{E0216}} {{the right side is still a tensor [240]}} {{norm(x)[c]}}
}
