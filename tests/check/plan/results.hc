// Attention writes all its results, wanted or not: each has a place of its own.
// RUN: hcc emit --stage fused %s | FileCheck %s

// Nobody asks how the first one's scores add up, nor for the gradient of the second one's queries.
// CHECK-DAG: attend attend position input#0 input#1 input#2 position+{{[0-9]+}} position+{{[0-9]+}}{{$}}
// CHECK-DAG: attend attend position input#0 position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}}{{$}}
// CHECK: backward
// CHECK: attend attend_grad position input#0 position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}} position+{{[0-9]+}} position+[[K:[0-9]+]] position+[[V:[0-9]+]]{{$}}
// CHECK: kernel {{.*}} position+[[K]] position+[[V]] partial
model m {
  const d = 16;
  positions t <= 32;
  input  q[t, 2, d] : real;
  input  k[t, 2, d] : real;
  input  v[t, 2, d] : real;
  input  x[t, d] : real;
  target z[t, d] : real;
  param K[2, d, d] ~ normal(0.3), V[2, d, d] ~ normal(0.3);
  let o = attend(q, k, v, causal = true);
  let r[h,a] = sum[c] K[h,a,c] * x[c];
  let s[h,a] = sum[c] V[h,a,c] * x[c];
  let y = attend(q, r, s, causal = true);
  loss sum[c] (o[0,c] * y[0,c] + y[1,c] - z[c])^2;
}
