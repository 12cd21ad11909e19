// Features that are split into one group of all still run along the lanes: a sum over them is no loop
// that strides from position to position, once for every reader.
// (On a processor whose products are OpenBLAS's: kernels that pack do stride.)
// RUN: hcc emit --stage nests --cpu x86-64-v2 %s | FileCheck %s
// RUN: hcc emit --stage nests --cpu x86-64-v2 --set heads=2 %s | FileCheck %s

// CHECK-NOT: {{stride [1-9][0-9]}}
use std;

connection weighted_depth(heads = 1) {
  state V[depth, d];
  const e = d / heads;
  param q[d] ~ normal(0.02);
  begin V[0,c] = x[c];
  let s[h < heads, j] = sum[a] q[h*e + a] * V[j, h*e + a];
  let p[h,j]     = softmax[j] s[h,j];
  read  x[h*e + a] = sum[j] p[h,j] * V[j, h*e + a];
  append V[c]    = y[c];
  end   x[c]     = sum[j] V[j,c];
}

model m {
  const d = 64, heads = 1;
  positions t <= 32;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { repeat 2 { f = weighted_depth(heads = heads) : linear(d); } };
  loss sum[c] (h[c] - z[c])^2;
}
