model m {
  positions t <= 16;
  input x[t, 4] : real;
  let M = sinkhorn(x, 3);  // expected-error {{E0214}} {{`L` has 2 axes, but this has 1: [4]}}
  loss sum[i,j] M[i,j];
}
