// What the kernels of a connection move at a position: streams that a site wrote are made again of
// those before it by whoever reads them, forward and backward, where all that takes is there anyhow;
// and backward is made again what is cheap, and no long sum.
// RUN: hcc emit --stage fused %s | FileCheck %s

// CHECK: level 0 position: kernel {{.*}} loads 512, stores 1032 bytes
// CHECK: level 1 position: kernel {{.*}} loads 1024, stores 520 bytes
// CHECK: level 2 position: kernel {{.*}} loads 1536, stores 2568 bytes
// CHECK: computed again here
// CHECK: level 3 position: kernel {{.*}} loads 3072, stores 1032 bytes
// CHECK: level 5 position backward: kernel {{.*}} loads 3592, stores 1024 bytes
// CHECK: level 6 position backward: kernel {{.*}} loads 2568, stores 1024 bytes
// CHECK: level 7 position backward: kernel {{.*}} loads 2568, stores 2560 bytes
// CHECK: level 8 position backward: kernel {{.*}} loads 3592, stores 0 bytes
use std;

model m {
  const d = 128;
  positions t <= 32;
  input  x[t, d] : real;
  target z[t, d] : real;
  param a[d] = 1;
  let e[c] = sin(a[c] * x[c]);
  let h = trunk(e) { repeat 3 { one = shc(n = 4) : linear(d); } };
  loss sum[c] (h[c] - z[c])^2;
}
