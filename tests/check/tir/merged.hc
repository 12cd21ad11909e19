// A sum of thin products with weights is one product over their joint rows, up to 32 of them, of 16 at
// most each; the rows of each are put in one order first. What others read, too, stays by itself.
// RUN: hcc emit --stage fused --print-after merge_products %s 2>&1 >/dev/null | FileCheck %s
// RUN: hcc emit --stage fused --set w=13 --print-after merge_products %s 2>&1 >/dev/null | FileCheck --check-prefix TWO %s
// RUN: hcc emit --stage fused --set v=17 --print-after merge_products %s 2>&1 >/dev/null | FileCheck --check-prefix LONG %s
// RUN: hcc emit --stage fused --set shared=true --print-after merge_products %s 2>&1 >/dev/null | FileCheck --check-prefix SHARED %s
// RUN: hcc emit --stage fused -O0 --print-after legalise %s 2>&1 >/dev/null | FileCheck --check-prefix PLAIN %s

// CHECK: %[[T:[0-9]+]] = broadcast %{{[0-9]+}} axes 1 0 : real[12,64]
// CHECK-NEXT: %[[U:[0-9]+]] = reshape %{{[0-9]+}} : real[4,64]
// CHECK-NEXT: %[[A:[0-9]+]] = reshape %{{[0-9]+}} : real[4]@pos1
// CHECK-NEXT: %[[W:[0-9]+]] = concat %[[T]] %{{[0-9]+}} %[[U]] axis 0 : real[32,64]
// CHECK-NEXT: %[[X:[0-9]+]] = concat %{{[0-9]+}} %{{[0-9]+}} %[[A]] axis 0 : real[32]@pos1
// CHECK-NEXT: %[[SUM:[0-9]+]] = contract %[[W]] %[[X]] "ba,b->a" : real[64]@pos1
// CHECK-NEXT: add %{{[0-9]+}} %[[SUM]] : real[64]@pos1 "h"
// TWO: concat %{{[0-9]+}} %{{[0-9]+}} axis 0 : real[29,64]
// LONG: concat %{{[0-9]+}} %{{[0-9]+}} axis 0 : real[16,64]
// SHARED: concat %{{[0-9]+}} %{{[0-9]+}} axis 0 : real[28,64]
// PLAIN-NOT: concat
model m {
  const d = 64, v = 16, w = 12, shared = false;
  positions t <= 8;
  input  x[t, d] : real;
  input  a[t, 2, 2] : real;
  input  b[t, v] : real;
  input  e[t, w] : real;
  param U[2, 2, d] ~ normal(0.1), V[v, d] ~ normal(0.1), T[d, w] ~ normal(0.1);
  let p[c] = sum[i,k] U[i,k,c] * a[i,k];
  let q[c] = sum[k] V[k,c] * b[k];
  let r[c] = sum[k] T[c,k] * e[k];
  let h[c] = x[c] + p[c] + q[c] + r[c];
  if shared { loss sum[c] sin(h[c]) * cos(p[c]); } else { loss sum[c] sin(h[c]); }
}
