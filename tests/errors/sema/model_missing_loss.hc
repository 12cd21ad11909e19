model m {                  // expected-error {{E0311}} {{the model `m` has no `loss`}} {{cross_entropy}}
  positions t <= 16;
  input x[t, 4] : real;
}
