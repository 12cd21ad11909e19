model m {
  const d = 2000000;
  positions t <= 16;
  input x[t, d] : real;
  let y[a,b] = x[a] * x[b];    // expected-error {{E0502}} {{more than 2^40 elements}}
  loss sum[a,b] y[a,b];
}
