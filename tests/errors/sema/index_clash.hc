fn f(A[n, m], B[n, m]) -> C[n, n] {
  let C[i,k] = sum[j] A[i,j] * B[j,k];   // expected-error {{E0213}} {{`j` ranges over 120, but this axis of `B` has 240}} {{got its range of 120 here}}
}
