// Sums over positions have features outside, and positions that fold into accumulators within; large
// outputs go past the caches; what a loop carries stays in registers, but for readers that have
// features in lanes.
// RUN: hcc emit --stage schedule --cpu x86-64-v4 %s | FileCheck %s
// RUN: hcc emit --stage nests %s -o %t.nest
// RUN: not hcc emit %t.nest --stage schedule

// CHECK: kernel k0_fwd_M_y
// CHECK: [[SCAN:%[0-9]+]] scan [] lane, stage 1: where it is read
// CHECK-NEXT: [[M:%[0-9]+]] M [4] lane, stage 1: tile by lanes, registers
// CHECK: [[BIG:%[0-9]+]] big [2048] wide, stage 4: tile by rows, streamed to argument 5
// CHECK: stage 1, positions in lanes
// CHECK-NEXT: scan [[SCAN]]: positions 16 by 16 lanes; turns 3 sequence;
// CHECK-NEXT: registers [[M]]: positions 16 by 16 lanes; elements 4 registers;
// CHECK: together [[BIG]] {{.*}}features 2048 by 16 lanes folds;

// CHECK: kernel {{.*}}bwd_
// CHECK: [[SUM:%[0-9]+]] {{.*}} [2048] wide, stage [[STAGE:[0-9]+]]: a sum, adds to argument
// CHECK: stage [[STAGE]], features in lanes
// CHECK: sums {{.*}}[[SUM]]: features 2048 by 16 lanes; positions 16 sequence folds;

use std;

model m {
  const d = 2048;
  positions t <= 4096;
  input  x[t, d] : real;
  input  w[t, 4] : real;
  target z[t, d] : real;
  param a[d] = 1, G[4, d] ~ normal(0.1);
  let M[i] = w[i];
  iterate 3 { M[i] = tanh(M[i]) * w[i]; }
  let big[c] = a[c] * x[c] + (sum[i] M[i] * G[i,c]);
  let h = trunk(big) { one = residual : linear(d); };
  loss sum[c] (h[c] - z[c])^2;
}
