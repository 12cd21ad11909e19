// What is wide at every position is made and used a chunk of positions at a time, when all that
// touches it goes position by position, none of it needs what the chunks sum, and nobody wants it whole.
// RUN: hcc emit --stage fused %s | FileCheck %s
// RUN: hcc emit --stage fused --set v=4095 %s | FileCheck --check-prefixes WHOLE,NONE %s
// RUN: hcc emit --stage fused --set shifted=true %s | FileCheck --check-prefix WHOLE %s
// RUN: hcc emit --stage fused --set summed=true %s | FileCheck --check-prefix WHOLE %s
// RUN: hcc emit --stage fused --set seen=true %s | FileCheck --check-prefix WHOLE %s

// CHECK: by chunks of 512 positions
// CHECK-NEXT: gemm gemm position N*1 x 4096 x 64 input#0 params#0 chunk+0
// CHECK-NEXT: kernel {{.*}} position input#1 chunk+0 position+0 partial+{{[0-9]+}}
// CHECK-NEXT: at once
// CHECK: backward
// CHECK: by chunks of 512 positions
// CHECK-NEXT: kernel {{.*}} chunk+0 position+0 global+{{[0-9]+}} chunk+[[G:[0-9]+]]
// CHECK-NEXT: gemm gemm position 4096 x 64 x N*1 chunk+[[G]] input#0 grads#0

// NONE-NOT: by chunks
// WHOLE: gemm gemm position N*1 x {{409[56]}} x 64 input#0 params#0 position+
model m {
  const v = 4096, d = 64, shifted = false, summed = false, seen = false;
  positions t <= 2048;
  input  x[t, d] : real;
  target z[t] : real;
  param W[v, d] ~ normal(0.1);
  let w[k] = sum[c] W[k,c] * x[c];
  if shifted {
    let s = sum[k] tanh(w[k]) * w[t-1,k];
  } else if summed {
    let C[k,c] = batch_mean(w[k] * x[c]);
    let s = sum[k] tanh(w[k]) * (sum[c] C[k,c] * x[c]);
  } else {
    let s = sum[k] tanh(w[k]);
  }
  if seen { probe w; }
  loss (s - z)^2;
}
