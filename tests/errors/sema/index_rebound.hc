fn f(A[n, n]) -> B[n, n] {
  let B[i,j] = sum[j] A[i,j];   // expected-error {{E0208}} {{index `j` is in use already}} {{bound here}}
}
fn g(A[n, n]) -> s {
  let s = sum[i] (sum[i] A[i,i]);   // expected-error {{index `i` is in use already}}
}
fn h(A[n, n]) -> B[n, n] {
  let B[i,n] = A[i,n];     // expected-error {{`n` is a constant here, so it cannot be an index}}
}
