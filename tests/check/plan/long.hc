// A kernel whose code is long is told, with the lines that most of it comes from.
// RUN: hcc emit --stage fused --explain-fusion %s 2>&1 >/dev/null | FileCheck %s

// CHECK: Kernels of more than 3000 instructions, which take long to compile.
// CHECK: `for` writes its turns out, `iterate` does not.
// CHECK: k0_fwd_u_loss: {{[0-9]+}} instructions
// CHECK-NEXT: {{[0-9]+}} of long.hc:[[@LINE+9]]
use std;
model m {
  positions t <= 8;
  input  x[t, 8] : real;
  target z[t, 8] : real;
  param W[8, 8] ~ normal(0.1);
  let u[i] = x[i];
  for k < 40 {
    u[i] = tanh(sum[j] W[i,j] * u[j] + k);
  }
  loss mse(u, z);
}
