// Groups that compute the same share a kernel; those that differ in a loop's body or in the indices of
// a table do not.
// RUN: hcc emit --stage fused %s | FileCheck %s

// CHECK: kernel [[LOOP:k[0-9]+]]_fwd_b position
// CHECK-NEXT: gemm
// CHECK-NEXT: kernel [[LOOP]]_fwd_b position
// CHECK-NEXT: gemm
// CHECK-NEXT: kernel [[SINE:k[0-9]+]]_fwd_g position
// CHECK-NEXT: gemm
// CHECK-NEXT: kernel [[ONE:k[0-9]+]]_fwd_p position
// CHECK-NEXT: gemm
// CHECK-NEXT: kernel [[TWO:k[0-9]+]]_fwd_q position
model m {
  const d = 64;
  positions t <= 8;
  input x[t, d] : real;
  param A[d, d], B[d, d], C[d, d], D[d, d], E[d, d], F[d, d] ~ normal(0.1)  freeze;
  param w = 1;
  let a[k] = sum[c] A[k,c] * x[c];
  let b[k] = a[k];
  iterate 3 { b[k] = tanh(b[k]) * a[k]; }
  let e[k] = sum[c] B[k,c] * b[c];
  let f[k] = e[k];
  iterate 3 { f[k] = tanh(f[k]) * e[k]; }
  let h[k] = sum[c] C[k,c] * f[c];
  let g[k] = h[k];
  iterate 3 { g[k] = sin(g[k]) * h[k]; }
  let i[k] = sum[c] D[k,c] * g[c];
  let p[k] = i[(k + 1) % d] * i[k];
  let j[k] = sum[c] E[k,c] * p[c];
  let q[k] = j[(k + 3) % d] * j[k];
  loss w * sum[k,c] F[k,c] * q[c] * q[k];
}
