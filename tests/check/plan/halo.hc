// What a kernel makes and reads at other positions it makes there again, of what lies in memory: the
// norm of the position before, and in the backward pass what comes back of the position after; of it
// no more is read than of the position itself. A sum of 300 terms for each of 128 elements is too much
// for that: there a kernel ends, and says so.
// RUN: hcc emit --stage fused %s | FileCheck %s
// RUN: hcc emit --stage fused --explain-fusion %s 2>&1 | FileCheck %s --check-prefix=WHY

// CHECK: level 0 position: kernel {{.*}} loads 512, stores 516 bytes
// CHECK: %[[S:[0-9]+]] = shift {{.*}}[128]
// CHECK-NEXT: contract %[[S]] %[[S]] []
// CHECK: rsqrt
// CHECK-NEXT: mul %[[S]] %{{.*}} [128]
// CHECK: level 1 position: kernel {{.*}} loads 1024, stores 1032 bytes
// CHECK: shift
// CHECK-NEXT: computed again here
// CHECK: %[[Y:[0-9]+]] = shift {{.*}} y
// CHECK-NEXT: add %{{[0-9]+}} %[[Y]] [128]
// CHECK: level 6 position backward: kernel {{.*}} loads 1544, stores 512 bytes
// CHECK: = shift {{.*}} h
// CHECK: = shift {{.*}}[] r
// CHECK: level 7 position backward: kernel
// CHECK-NOT: group

// WHY: or a shift that
// WHY: before    the shift of halo.hc:46
// WHY: after     other positions, for the shift of halo.hc:46
use std;
connection mixed(norm = rmsnorm) {
  state h[d];
  param a[d] = 0.5;
  begin h = x;
  let m = norm(h);
  let s = shift(m, 1);
  read  x[c] = m[c] + a[c] * s[c];
  write h[c] = h[c] + y[c];
  end   x = h;
}
model m {
  const d = 128;
  positions t <= 64;
  input x[t, d] : real;
  input z[t, 300] : real;
  param K[300, d] ~ normal(0.1);
  let h = trunk(x) { a = mixed : linear(d); b = mixed : linear(d); };
  let k[c] = sum[i < 300] sin(K[i, c]) * cos(z[i] + h[c]);
  let w = shift(k, 1);
  let v[c] = k[c] * w[c];
  loss sum[c] v[c]^2;
}
