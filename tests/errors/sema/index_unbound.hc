fn f(A[n, m], x[m]) -> y[n] {
  let y[i] = A[i,j] * x[j];     // expected-error {{E0209}} {{index `j` is not bound}} {{sum over it}} expected-error {{index `j` is not bound}}
}
