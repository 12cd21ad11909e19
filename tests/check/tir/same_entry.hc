// One entry for every index is repeated, not looked up.
// RUN: hcc emit --stage tir %s | FileCheck %s
// RUN: hcc emit --stage tir --set groups=4 %s | FileCheck --check-prefix TABLE %s

// CHECK-NOT: take
// TABLE: take {{.*}} : real[64]
use std;

model m {
  const d = 64, groups = 1;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  param g[groups] = 0.5;
  let y[c] = g[c % groups] * x[c];
  loss sum[c] (y[c] - z[c])^2;
}
