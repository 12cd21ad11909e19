// Stages take turns: what multiplies by weights waits until what it reads lies by rows, takes four
// positions at a time with an accumulator for each result, and fetches what the next positions read.
// RUN: hcc emit --stage schedule --cpu x86-64-v4 --kernel k2 %s | FileCheck %s
// RUN: hcc emit --stage nests --print-after schedule --cpu x86-64-v4 %s 2>&1 >/dev/null | FileCheck %s

// CHECK: kernel k2_fwd_H_x
// CHECK-NEXT: instances of position: tiles threads; by 16 sequence
// CHECK: [[X:%[0-9]+]] x [64] input, argument 0: workspace by rows
// CHECK: [[P:%[0-9]+]] P [4,4,64] input, argument 3: workspace, packed
// CHECK: H [4,64] wide, stage 0: where it is read, made again
// CHECK: [[H:%[0-9]+]] H [4,64] wide, stage 0: tile by rows
// CHECK: [[FOLD:%[0-9]+]] a [4] fold, stage 2: tile by lanes
// CHECK: [[A:%[0-9]+]] a [4] lane, stage 3: tile by lanes, is argument 4
// CHECK: [[READ:%[0-9]+]] x [64] wide, stage 4: workspace by rows, is argument 5
// CHECK-NEXT: stage 0, features in lanes
// CHECK-NEXT: together [[H]]: positions 16 sequence; features 64 by 16 lanes;
// CHECK-NEXT: stage 2, features in lanes
// CHECK-NEXT: together [[FOLD]][0..3]: positions 16 by 4 sequence; features 64 by 16 lanes folds; fetches [[X]] ahead; fetches {{%[0-9]+}} ahead;
// CHECK-NEXT: stage 3, positions in lanes
// CHECK-NEXT: registers [[A]]: positions 16 by 16 lanes; elements 4 registers;
// CHECK-NEXT: copy [[A]]: positions 16 sequence; elements 4 sequence;
// CHECK-NEXT: stage 4, features in lanes
// CHECK-NEXT: together [[READ]]: positions 16 sequence; features 64 by 16 lanes;

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
