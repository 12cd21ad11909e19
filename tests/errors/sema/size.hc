model m {
  const d = 3000000;
  positions t <= 16;
  input x[t, 4] : real;
  param W[d, d] ~ normal(1);   // expected-error {{E0502}} {{more than 2^40 elements}}
  param V[1e12] ~ normal(1);   // expected-error {{an extent is 1000000000000}}
  loss sum[c] x[c] * W[c,c] * V[c];
}
