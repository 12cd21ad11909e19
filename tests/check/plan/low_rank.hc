// What a long row is multiplied to and from by 32 numbers stays in one kernel, whichever way its
// matrices were written, and so do their gradients. In bf16 the machine's own products make it.
// RUN: hcc emit --stage fused %s 2>&1 | FileCheck %s
// RUN: hcc emit --stage fused --precision bf16 %s 2>&1 | FileCheck --check-prefix=TILES %s

// CHECK: kernel k1, loads
// CHECK: contract {{.*}} [32,1]
// CHECK: contract {{.*}} [256]
// CHECK: kernel k4, loads
// CHECK: contract {{.*}} [32,1,256]
// CHECK: contract {{.*}} [32,1]
// CHECK: contract {{.*}} [32,1,256]
// CHECK-NOT: gemm
// TILES: gemm gemm position N*1 x 32 x 256
// TILES: gemm gemm position N*1 x 256 x 32
use std;

connection low(rank) {
  state h[d];
  param W[rank, d], U[d, rank] ~ normal(0.02);
  begin h = x;
  let v[r] = sum[c] W[r,c] * h[c];
  read  x[c] = h[c] + sum[r] U[c,r] * tanh(v[r]);
  write h[c] = h[c] + y[c];
  end   x = h;
}

model m {
  const d = 256;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { a = low(32) : scaled; };
  loss mse(h, z);
}

branch scaled : x[d] -> y[d] {
  param b[d] = 1;
  let y[c] = b[c] * x[c];
}
