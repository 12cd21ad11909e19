// All that a text says of parameters, inputs, data, the recipe and sites stands in the manifest as it
// was said, and the processor as it was asked for.
// RUN: hcc build %s -o %t.so --cpu x86-64-v3
// RUN: tr '{' '\n' < %t.manifest.json | FileCheck %s

// CHECK: "name":"x86-64-v3","features":[{{.*}}"avx2",{{.*}}]},"vector_bytes":32,"micro_tile":8
// CHECK: "name":"x",{{.*}}"domain":"sample","limit":0,"target":false,"dims":[3]}
// CHECK-NEXT: "name":"digit","element":"i32","domain":"sample","limit":7,"target":true,"dims":[]}
// CHECK: "name":"a",
// CHECK-NEXT: "kind":"normal","mean":0.5,"std":0.25},"decay":true,"frozen":false,"buffer":false,"lr_scale":1.0,"of_connection":false,"grad":true
// CHECK-NEXT: "name":"b",
// CHECK-NEXT: "kind":"uniform","low":-0.5,"high":0.75}
// CHECK-NEXT: "name":"c",
// CHECK-NEXT: "kind":"fill","value":2.0},"decay":false,"frozen":false,"buffer":false,"lr_scale":0.5
// CHECK-NEXT: "name":"e",
// CHECK-NEXT: "frozen":true,"buffer":false,{{.*}}"grad":false
// CHECK-NEXT: "name":"s",
// CHECK-NEXT: "frozen":true,"buffer":true
// CHECK-NEXT: "name":"trunk.0.site.hc.{{.*}}"group":"shc"
// CHECK-NEXT: "of_connection":true
// CHECK: "optimizer":"sgd","schedule":"wsd","lr":0.25,"adamw_lr":0.0,{{.*}}"weight_decay":0.125,"momentum":0.75,"warmup":7,"floor":0.5,"decay":0.375,"connection_lr":0.75,"batch":6,"parts":3,"steps":11,"clip":0.375,"ema":0.4375,"seed":9,"eval_every":3,"eval_batches":19,"patience":23,"epochs":0.0,"save_every":13,"save_minutes":0.625,"keep":17}
// CHECK-NEXT: "source":"table","held_out":0.25,"shuffled":true,"files":[
// CHECK-NEXT: "part":"train","path":"a.csv"}]
// CHECK-NEXT: "input":"x","stream":"columns","subscripts":[
// CHECK-NEXT: "base":1,"positions":[],"axes":[1]}],"whole":false,"scale":0.0625,"shift":-0.125,"standardise":false}
// CHECK-NEXT: "input":"digit"
// CHECK-NEXT: "base":0,"positions":[],"axes":[]}],"whole":false,"scale":1.0,"shift":0.0,"standardise":false}
// CHECK-NEXT: "input":"y"
// CHECK-NEXT: "column":"price"}],{{.*}}"standardise":true}],"header":true,"separator":";","skip":3}
// CHECK: "connection":"shc",{{.*}}"site":0,"block":0}
// CHECK-NEXT: "connection":"shc",{{.*}}"site":1,"block":1}
// CHECK: "param":4,"buffer":
use std;

model m {
  input  x[3] : real;
  target digit : token(7);
  target y : real;
  param a[3] ~ normal(0.5, 0.25);
  param b[3] ~ uniform(-0.5, 0.75);
  param c = 2 nodecay lr(0.5);
  param e = 3 freeze;
  buffer s[3] = 4;
  let z[k] = a[k] * x[k] + b[k] * s[k];
  update s[k] = 0.5 * s[k] + x[k];
  let h = trunk(z) { repeat 2 { site = shc(n = 2) : linear(3); } };
  loss (sum[k] h[k] + c * e - y)^2 + digit;
}

train m {
  data table {
    x[k]  = (columns[k + 1] - 2) / 16;
    digit = columns[0];
    y     = standardise(columns["price"]);
    train = "a.csv"; held_out = shuffled(0.25);
    header = true; separator = ";"; skip = 3;
  }
  optimizer sgd(lr = 0.25, momentum = 0.75, weight_decay = 0.125);
  schedule wsd(warmup = 7, floor = 0.5, decay = 0.375);
  connection_lr 0.75; batch 6 in 3; steps 11; clip 0.375; ema 0.4375; eval_every 3; eval_batches 19; patience 23;
  save_every 13; save_minutes 0.625; keep 17; seed 9;
}
