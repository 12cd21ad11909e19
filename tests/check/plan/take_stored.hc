// What reads through a long table without order is a gather from memory, and what comes back another;
// a short table, or one that is a few runs, stays in the kernel.
// RUN: hcc emit --stage fused %s 2>&1 | FileCheck %s
// RUN: hcc emit --stage fused --set d=128 %s 2>&1 | FileCheck --check-prefix=SHORT %s

// CHECK: group 0
// CHECK: gather {{.*}} [129]  p
// CHECK: backward
// CHECK: gather {{.*}} [{{[0-9]+}}]
// SHORT-NOT: gather
model m {
  const d = 129;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  param w[d] = 1;
  let v[c] = tanh(w[c] * x[c]);
  let p[c < d] = v[floor(c * (c + 1) / 2) % d], q[c < d] = v[(c + 5) % d];
  loss sum[c] (p[c] * q[c] - z[c])^2;
}
