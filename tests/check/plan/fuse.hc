// What a kernel holds: whatever loads the same positions and waits for nothing new. What only later
// kernels read is computed there, but for a sum that is less than its terms; a sum of products is
// added up where the first of them writes.
// RUN: hcc emit --stage fused %s | FileCheck %s

// CHECK: group 0 level 0 position: kernel
// CHECK-NEXT: loads %
// CHECK-NEXT: mul {{.*}} n
// CHECK-NEXT: cos
// CHECK-NEXT: %[[N:[0-9]+]] = reduce_sum {{.*}} n
// CHECK-NEXT: tanh {{.*}} h
// CHECK-NEXT: mul {{.*}} h
// CHECK-NEXT: stores %[[N]] %
// CHECK-NEXT: group 1 level 1 position: kernel
// CHECK-NEXT: loads %{{.*}} %[[N]] %
// CHECK-NEXT: mul {{.*}} g
// CHECK-NEXT: sin {{.*}} g
// CHECK-NEXT: tanh {{.*}} y
// CHECK: position backward: kernel
// CHECK: level 5 position backward: kernel {{.*}} loads 2052, stores 1024 bytes
// CHECK: mul {{.*}} g
// CHECK-NEXT: computed again here
// CHECK: gemm gemm position N*1 x 128 x 128 position+[[H:[0-9]+]] params#2 position+{{[0-9]+}}
// CHECK-NEXT: gemm gemm position N*1 x 128 x 128 position+[[H]] params#3
// CHECK: -- backward
// CHECK-NEXT: kernel {{.*}}bwd
// CHECK: gemm gemm position N*1 x 128 x 128 {{.*}} params#3 position+[[SUM:[0-9]+]]
// CHECK: gemm gemm position add N*1 x 128 x 128 {{.*}} params#2 position+[[SUM]]
model m {
  const d = 128;
  positions t <= 64;
  input  x[t, d] : real;
  target z[t, d] : real;
  param w[d] = 1, v[d] = 1;
  param A[d, d], B[d, d], C[d, d] ~ normal(0.1);
  let g[c] = sin(w[c] * x[c]);
  let n = sum[c] cos(v[c] * x[c]);
  let h[c] = tanh(x[c]) * v[c];
  let a[k] = sum[c] A[k,c] * h[c];
  let b[k] = sum[c] B[k,c] * h[c];
  let y[k] = tanh(a[k]) * b[k] + g[k] * n;
  let e[k] = sum[c] C[k,c] * y[c];
  loss sum[c] (e[c] - z[c])^2;
}
