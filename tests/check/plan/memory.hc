// Memory is used again as soon as nobody reads it: the lowest place where a value fits, of neighbours
// that are free together, and none besides.
// RUN: hcc emit --stage fused %s | FileCheck %s

// CHECK: gemm gemm position N*1 x 128 x 64 input#0 params#0 position+0
// CHECK-NEXT: kernel {{.*}} position position+0 position+512
// CHECK-NEXT: gemm gemm position N*1 x 64 x 128 position+512 params#1 position+0
// CHECK-NEXT: gemm gemm position N*1 x 128 x 64 position+0 params#2 position+1024
// CHECK-NEXT: kernel {{.*}} position position+1024 position+1536
// CHECK-NEXT: gemm gemm position N*1 x 64 x 128 position+1536 params#3 position+256
// CHECK-NEXT: gemm gemm position N*1 x 256 x 64 position+256 params#4 position+2048
// CHECK-NEXT: kernel {{.*}} position position+2048 position+3072
// CHECK-NEXT: gemm gemm position N*1 x 64 x 256 position+3072 params#5 position+1024
// CHECK: backward
// CHECK: position+3072 grads#5
// CHECK-NEXT: gemm gemm position N*1 x 256 x 64 position+1024 params#5 position+2048
// CHECK-NEXT: kernel {{.*}} position position+3072 position+2048 position+4096
// CHECK: gemm gemm position N*1 x 64 x 256 position+4096 params#4 position+256
// CHECK: gemm gemm position N*1 x 128 x 64 position+256 params#3 position+1024
model m {
  const d = 64;
  positions t <= 64;
  input  x[t, d] : real;
  target z[t, d] : real;
  param A[2 * d, d], B[d, 2 * d], C[2 * d, d], D[d, 2 * d], E[4 * d, d], F[d, 4 * d] ~ normal(0.1);
  let a[k] = sum[c] A[k,c] * x[c];
  let b[k] = sum[c] B[k,c] * tanh(a[c]);
  let e[k] = sum[c] C[k,c] * b[c];
  let f[k] = sum[c] D[k,c] * tanh(e[c]);
  let g[k] = sum[c] E[k,c] * f[c];
  let h[k] = sum[c] F[k,c] * tanh(g[c]);
  loss sum[c] (h[c] - z[c])^2;
}
