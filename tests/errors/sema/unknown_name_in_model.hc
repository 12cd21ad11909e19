// The mistake is found although other statements use the value: those are silent.
model m {
  const width = 8;
  positions t <= 16;
  input x[t, widht] : real;      // expected-error {{E0312}} {{`widht` is no position}}
  let z = x;
  let w[c] = z[c] * 2;
  loss sum[c] w[c];
}
