model m {
  positions t <= 16;
  input x[t, 4, 5] : real;
  let M = sinkhorn(x, 3);  // expected-error {{E0214}} {{`L` has 5, but is declared to have 4}} {{declared here}}
  loss sum[i,j] M[i,j];
}
