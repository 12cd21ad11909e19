// A thin matrix is turned once a step where a kernel comes to it along its other axis, its gradient is
// summed along it, and what is said of kernels names both.
// RUN: hcc emit --stage fused --explain-fusion %s 2>&1 | FileCheck %s

// CHECK: k0_fwd_x forward, 1 call: thin.hc:22
// CHECK: runs      once for each step
// CHECK: k1_fwd_v_loss forward, 1 call
// CHECK: weights   `W`, 8 × 96, as they lie
// CHECK-NEXT: `U`, 96 × 8, as k0 turns them once a step
// CHECK: plan {
// CHECK: group {{[0-9]+}} level 0 global: kernel k0
// CHECK: broadcast %{{[0-9]+}} [8,96]
// CHECK: contract {{.*}} [8,96]
// CHECK: contract {{.*}} [8,96]
use std;

connection low(rank) {
  state h[d];
  param W[rank, d], U[d, rank] ~ normal(0.02);
  begin h = x;
  let v[r] = sum[c] W[r,c] * h[c];
  read  x[c] = h[c] + sum[r] U[c,r] * v[r];
  write h[c] = h[c] + y[c];
  end   x = h;
}

model m {
  const d = 96;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { a = low(8) : scaled; };
  loss mse(h, z);
}

branch scaled : x[d] -> y[d] {
  param b[d] = 1;
  let y[c] = b[c] * x[c];
}
