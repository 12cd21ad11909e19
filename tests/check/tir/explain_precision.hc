// What products take and sum in, and as what values are stored, for whom; equal ones are one line.
// RUN: hcc emit --stage fused --explain-precision --cpu baseline %s 2>&1 >/dev/null | FileCheck %s
// RUN: hcc emit --stage fused --explain-precision --precision f64 %s 2>&1 >/dev/null | FileCheck --check-prefix WIDE %s
// RUN: hcc emit --stage fused --explain-precision --precision bf16 --target x86_64-linux-gnu --cpu x86-64-v3 %s 2>&1 >/dev/null | FileCheck --check-prefix NARROW %s
// RUN: hcc emit --stage fused --explain-fusion --precision bf16 --target x86_64-linux-gnu --cpu x86-64-v3 %s 2>&1 >/dev/null | FileCheck --check-prefix PACKED %s

// CHECK: Precision f32: parameters, gradients, moments and all that callers hold are f32
// CHECK: products
// CHECK: {{^}}  y {{ *}}N x 64 x 64 {{ *}}f32 {{ *}}f32 {{ *}}f32 {{ *}}2 {{ *}}16384  OpenBLAS {{ *}}explain_precision.hc:44
// CHECK: {{^}}  to weights {{ *}}64 x 64 x N {{ *}}f32 {{ *}}f32 {{ *}}f32 {{ *}}2 {{ *}}16384  OpenBLAS {{ *}}backward of explain_precision.hc:44
// CHECK: stored
// CHECK: {{^}}  a {{ *}}64 {{ *}}f32 {{ *}}1 {{ *}}256  position  products; kept
// CHECK: {{^}}f32: {{[0-9]+}} bytes at a position, in {{[0-9]+}} values
// WIDE: Precision f64: parameters, gradients, moments and all that callers hold are f64
// WIDE: {{^}}  y {{ *}}N x 64 x 64 {{ *}}f64 {{ *}}f64 {{ *}}f64
// WIDE-SAME: OpenBLAS
// WIDE: {{^}}f64: {{[0-9]+}} bytes at a position
// NARROW: Precision bf16: parameters, gradients, moments and all that callers hold are f32
// NARROW: the softmax of attention and sums compute in it
// NARROW: those inside attention as bf16, by pairs, made in f32
// NARROW: {{^}}  y {{ *}}N x 64 x 64 {{ *}}bf16 {{ *}}f32 {{ *}}bf16 {{ *}}1 {{ *}}8192  pairs, made in f32
// NARROW: {{^}}  y {{ *}}N x 64 x 64 {{ *}}bf16 {{ *}}f32 {{ *}}f32 {{ *}}1 {{ *}}8192  pairs, made in f32
// NARROW: what kernels make for them alone
// NARROW: {{^}}  a {{ *}}64 {{ *}}bf16 {{ *}}1 {{ *}}128  position  products; kept
// NARROW: {{^}}bf16: {{[0-9]+}} bytes at a position
// PACKED: What products read is packed, in every call
// PACKED: {{^}}  forward, 1 call: explain_precision.hc:44
// PACKED: left      `a`, stored by k{{[0-9]+}} as bf16: whole, by all threads before they multiply
// PACKED: right     `W`, a parameter in f32: whole
use std;

model m {
  const d = 64;
  positions t <= 8;
  input  x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { repeat 2 { a = residual : layer; } };
  loss sum[c] (h[c] - z[c])^2;
}

branch layer : x[d] -> y[d] {
  param W[d, d] ~ normal(0.02);
  let a[c] = tanh(x[c]);
  let y[c] = sum[e] W[c,e] * a[e];
}
