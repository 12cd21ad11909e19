// A kernel that reads by positions, which are never outside, is not the one that reads by the numbers of a table,
// which may be, though both load them.
// RUN: hcc emit %s --stage fused | FileCheck %s
// CHECK: kernel [[BY_POSITION:k[0-9]+]]_{{[a-z0-9_]+}} position time+0:i32 sample+0
// CHECK-NOT: kernel [[BY_POSITION]]_
model m {
  positions t <= 29;
  positions tb <= 29;
  input ub[tb, 2] : real;
  let v2[l] = ub[t - 0, l];
  let v4[j] = v2[2 * t, j];
  param W[2] = 0.5;
  let v6[i] = W[i] * v4[tb - 0, i];
  target goal[tb, 2] : real;
  loss mse(v6, goal);
}
