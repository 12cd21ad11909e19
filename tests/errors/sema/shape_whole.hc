model m {
  positions t <= 16;
  input a[t, 4] : real;
  input b[t, 8] : real;
  let c = a + b;           // expected-error {{E0214}} {{whole tensors [4] and [8] do not fit}}
  loss sum[i] c[i];
}
