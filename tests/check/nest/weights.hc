// Weights of many rows, and what is added up for them, are kept in the order in which loops over
// features come to them; loops that multiply by them fetch what the next positions will read.
// RUN: hcc emit --stage nests --cpu x86-64-v3 %s | FileCheck %s
// RUN: hcc emit --stage llvm --cpu x86-64-v3 %s | FileCheck --check-prefix LLVM %s

// CHECK: kernel {{.*}}fwd_H_x
// CHECK: buffer @[[BEFORE:[0-9]+]] "x" argument
// CHECK: buffer @[[WEIGHTS:[0-9]+]] "P" argument
// CHECK: buffer @[[PACKED:[0-9]+]] "packed" scratch f32 read write elements 1024

// Row by row of one vector of features:
// CHECK: load f32x8 @[[WEIGHTS]]
// CHECK-NEXT: store @[[PACKED]]

// 16 rows, 8 lanes:
// CHECK: loop %{{[0-9]+}} vector %[[C:[0-9]+]] = {{.*}} step 8 carry
// CHECK: load f32x8 @[[PACKED]][%[[C]]*16 + 0]
// CHECK: load f32x8 @[[PACKED]][%[[C]]*16 + 32]
// CHECK: prefetch @[[BEFORE]]

// CHECK: kernel {{.*}}bwd_H
// CHECK: buffer @{{[0-9]+}} "packed" scratch f32 read write elements 1024
// CHECK: buffer @[[SUM:[0-9]+]] "packed" scratch f32 read write elements 1024
// CHECK: load f32x8 @[[SUM]][%{{[0-9]+}}*16 + 8]

// A sum and the product before it may become one instruction; what is fetched ahead goes past the
// first of the caches.
// LLVM: fadd contract <8 x float>
// LLVM: call void @llvm.prefetch{{.*}}, i32 0, i32 2, i32 1)

use std;

connection projected {
  state H[4, d];
  param P[4, 4, d] ~ normal(0.1);
  begin  H[j,c] = x[c];
  let a[k < 4] = tanh(sum[j,c] P[k,j,c] * H[j,c]);
  read  x[c] = sum[j] a[j] * H[j,c];
  write H[k,c] = H[k,c] + a[k] * y[c];
  end   x[c] = sum[j] H[j,c];
}

model m {
  const d = 64;
  positions t <= 32;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { repeat 2 { f = projected : linear(d); } };
  loss sum[c] (h[c] - z[c])^2;
}
