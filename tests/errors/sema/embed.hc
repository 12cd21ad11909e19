model m {
  positions t <= 16;
  input x[t] : token(300);
  input r[t] : real;
  param E[256, 4] ~ normal(1);
  let a = embed(x, E);     // expected-error {{E0214}} {{tokens run to 300, but the table has 256 rows}}
  let b = embed(r, E);     // expected-error {{E0205}} {{`embed` takes tokens}}
  loss sum[c] a[c] * b[c];
}
