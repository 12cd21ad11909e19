model m {
  positions t <= 16;
  input x[t, 4] : real;
  loss x;                  // expected-error {{E0311}} {{a tensor [4]}} {{reduce its axes}}
}
