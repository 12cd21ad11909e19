// Entries that are taken to be those of a small matrix have positions in lanes, not features: each is
// known where it is read, and none is looked for.
// RUN: hcc emit --stage nests %s | FileCheck %s

// The one choice is between positions that there are and others, in the loss.
// CHECK: kernel "k0_fwd_A_loss"
// CHECK: select
// CHECK-NOT: select
use std;

model m {
  positions t <= 8;
  input  x[t, 21] : real;
  target z[t, 7] : real;
  let A = skew(x, 7), h[a] = sum[b] A[a,b] * (b + 1);
  loss mse(h, z);
}
