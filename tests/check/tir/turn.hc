// A connection by itself, cut out of two sites: the write of one and the read of the next, of streams that are inputs by themselves.
// What the write needs of the read before is small and handed on (kept), the rest is made again of the states.
// RUN: hcc emit --stage tir --part turn --streams-apart %s | FileCheck %s
// CHECK: param "read.W" "gated"
// CHECK-NOT: param "write.
// CHECK: input "H.0" real[8]@pos1
// CHECK-NEXT: input "H.1" real[8]@pos1
// CHECK: input "kept.0" real[2]@pos1
// CHECK: input "y" real[8]@pos1
// CHECK: input "upstream.H.0" real[8]@pos1 limit 0 upstream "H.0"
// CHECK: output result "H.0"
// CHECK-NEXT: output result "H.1"
// CHECK-NEXT: output result "x"
// CHECK-NEXT: output result "kept.0"
// The states of a read go on to its write, too: what comes back to them by that way is added.
// RUN: hcc emit --stage grad --part read --beside %s | FileCheck --check-prefix READ %s
// READ: input "beside.H" real[2,8]@pos1 limit 0 beside "H"
// READ: output input_grad "H"
// By names: a value of the site in the place of what makes it.
// RUN: hcc emit --stage tir --site trunk.0.s --given H --given y --given b --output H %s | FileCheck --check-prefix NAMES %s
// NAMES-NOT: param
// NAMES: input "H" real[2,8]@pos1
// NAMES-NEXT: input "y" real[8]@pos1
// NAMES-NEXT: input "b" real[2]@pos1
// NAMES: output result "H"
// A block: the states that a site finds, to those that a later one does. A branch: what it reads, to what it gives.
// RUN: hcc emit --stage tir --given trunk.0.s.H --output trunk.1.s.H %s | FileCheck --check-prefix BLOCK %s
// BLOCK: param "trunk.0.s.hc.W"
// BLOCK-NOT: param
// BLOCK: input "trunk.0.s.H" real[2,8]@pos1
// BLOCK-NOT: input "x"
// BLOCK: output result "trunk.1.s.H"
// RUN: hcc emit --stage tir --given trunk.1.s.x --output trunk.1.s.y %s | FileCheck --check-prefix BRANCH %s
// BRANCH-NOT: trunk.{{[0-9]}}.s.hc.W
// BRANCH: input "trunk.1.s.x" real[8]@pos1
// BRANCH: output result "trunk.1.s.y"
connection gated {
  state H[2, d];
  param W[2, d] ~ normal(0.1);
  begin H[i,c] = x[c];
  let b[i] = sigmoid(sum[c] W[i,c] * H[i,c]);
  read x[c] = mean[i] H[i,c];
  write H[i,c] = H[i,c] + b[i] * y[c];
  end x[c] = sum[i] H[i,c];
}
branch outside : x[d] -> y[d] { let y[c] = x[c]; }
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  let h = trunk(x) { repeat 2 { s = gated : outside; } };
  output h;
}
