// What is fused, what that moves, and what a kernel waits for: with the lines of this file.
// RUN: hcc emit --stage fused --explain-fusion %s 2>&1 >/dev/null | FileCheck %s

// CHECK: fwd_b forward, 1 call: explain.hc:24
// CHECK-NEXT: fuses     2 operations
// CHECK-NEXT: moves     1024 bytes a position, the least that these operations can in one pass
// CHECK-NEXT: after     the matrix product of explain.hc:23
// CHECK-NEXT: before    the matrix product of explain.hc:25
// CHECK: fwd_loss forward, 1 call: explain.hc:26
// CHECK: runs      once for each step
// CHECK-NEXT: after     a sum over all positions, of explain.hc:26
// CHECK: backward, 1 call: explain.hc:24
use std;

model m {
  const d = 64;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  param W[d, d] ~ normal(0.02);
  param V[d, d] ~ normal(0.02);

  let a[c] = sum[e] W[c,e] * x[e];
  let b[c] = tanh(a[c]) * x[c];
  let h[c] = sum[e] V[c,e] * b[e];
  loss sum[c] (h[c] - z[c])^2;
}
