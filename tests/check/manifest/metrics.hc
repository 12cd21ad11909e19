// Metrics of one name are told apart, as they are keys of logs.
// RUN: hcc build %s -o %t.so
// RUN: tr '{' '\n' < %t.manifest.json | FileCheck %s
// CHECK: "name":"accuracy","buffer"
// CHECK: "name":"accuracy_2","buffer"
// CHECK: "name":"close","buffer"
// CHECK: "name":"metric","buffer"
// CHECK: "name":"accuracy_3","buffer"
use std;
model m {
  positions t <= 4;
  input  x[t, 3]  : real;
  target class[t] : token(3);
  param W[3, 3] = 0.5;
  let logits[v] = sum[c] W[v,c] * x[c];
  let close = sum[v] logits[v]^2;
  loss cross_entropy(logits, class);
  metric accuracy(logits, class);
  metric accuracy(logits, class) weight select(class == 0, 0, 1);
  metric close;
  metric close + 1;
  metric accuracy(logits, class) weight select(class == 1, 0, 1);
}
