// What depends on no state stands outside a scan: the product with W before it and, of the gradient,
// the weights' after it. What is left is told, with what it carries.
// RUN: hcc emit %s --stage fused --explain-fusion 2>&1 | FileCheck %s
// CHECK: k{{[0-9]+}}_scan_h: scan.hc:[[LINE:[0-9]+]]
// CHECK-NEXT: fuses     {{[0-9]+}} operations, one position after the other
// CHECK-NEXT: carries   1 states of 64 elements
// CHECK: after     the scan of scan.hc:[[LINE]]
// CHECK: gemm gemm position {{.*}} params#0
// CHECK: scan scan_h position
// CHECK: scan scan position {{.*}} params#1
// CHECK: gemm gemm position 64 x 64 x N*1 {{.*}} grads#1
// CHECK: gemm gemm position 64 x 64 x N*1 {{.*}} input#0 grads#0
model m {
  const d = 64;
  positions t <= 16 causal;
  input x[t, d] : real;
  param W[d, d], U[d, d] ~ normal(0.1);
  let h[k < d] = 0;
  scan {
    h[k] = tanh((sum[c] W[k,c] * x[c]) + sum[j] U[k,j] * h[j]);
  }
  loss mean[k] h[k]^2;
}
