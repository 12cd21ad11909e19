// What products read of a parameter is a matrix: free by summed axes, those apart one by one. The first
// and the last layer are none, nor what anything else reads besides, nor what connections have.
// RUN: hcc build %s -o %t.so
// RUN: tr '{' '\n' < %t.manifest.json | FileCheck %s

// CHECK: "name":"first",
// CHECK-NOT: "matrix"
// CHECK: "name":"last",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.hc.P",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.plain",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[],"free":[0],"summed":[1]}
// CHECK-NEXT: "name":"trunk.0.site.grouped",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[],"free":[0,2],"summed":[1]}
// CHECK-NEXT: "name":"trunk.0.site.together",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[],"free":[1],"summed":[0,2]}
// CHECK-NEXT: "name":"trunk.0.site.experts",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[1],"free":[0],"summed":[2]}
// CHECK-NEXT: "name":"trunk.0.site.each",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[0],"free":[1],"summed":[2]}
// CHECK-NEXT: "name":"trunk.0.site.twice",
// CHECK: "matrix":
// CHECK-NEXT: "apart":[],"free":[0],"summed":[1]}
// CHECK-NEXT: "name":"trunk.0.site.turned",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.squared",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.gain",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.vector",
// CHECK-NOT: "matrix"
// CHECK: "name":"trunk.0.site.still",
// CHECK-NOT: "matrix"
// CHECK: "recipe"

connection mixing(n = 2) {
  state h[n, d];
  param A[n, n] = identity;
  param P[d, d] ~ normal(0.1);
  begin h[i, c] = x[c];
  let m[c]      = sum[i] h[i, c];
  read  x[c]    = sum[k] P[c, k] * m[k];
  write h[i, c] = (sum[j] A[i, j] * h[j, c]) + y[c];
  end   x[c]    = sum[i] h[i, c];
}

branch many() : x[d] -> y[d] {
  param plain[d, d] ~ normal(0.1);
  param grouped[2, d, 3] ~ normal(0.1);
  param together[2, d, 3] ~ normal(0.1);
  param experts[d, 2, d] ~ normal(0.1) apart(1);
  param each[2, 3, d] ~ normal(0.1);
  param twice[d, d], turned[d, d], squared[d, d] ~ normal(0.1);
  param gain[d] = 1;
  param vector[d] ~ normal(0.1);
  param still[d, d] ~ normal(0.1) freeze;
  let a[c]    = sum[k] plain[c, k] * x[k];
  let g[i, j] = sum[k] grouped[i, k, j] * a[k];
  let b[c]    = sum[i, j] together[i, c, j] * g[i, j];
  let e[i, c] = tanh(sum[k] experts[c, i, k] * b[k]);
  let f[i, j] = sum[k] each[i, j, k] * e[i, k];
  let q[c]    = b[c] + f[0, 0] * f[1, 2];
  let t[c]    = tanh(sum[k] twice[c, k] * q[k]);
  let u[c]    = sum[k] twice[c, k] * t[k];
  let v[c]    = tanh(sum[k] turned[c, k] * u[k]);
  let w[c]    = sum[k] turned[k, c] * v[k];
  let s[c]    = (sum[k] squared[c, k] * w[k]) + squared[c, 0]^2;
  let o       = sum[k] vector[k] * s[k];
  let y[c]    = gain[c] * o * (sum[k] still[c, k] * s[k]);
}

model m {
  const d = 5;
  input  z[4] : real;
  target l[3] : real;
  param first[d, 4] ~ normal(0.1), last[3, d] ~ normal(0.1);
  let x[c] = sum[k] first[c, k] * z[k];
  let h = trunk(x) { repeat 1 { site = mixing() : many(); } };
  let r[k] = sum[c] last[k, c] * h[c];
  loss mean[k] (r[k] - l[k])^2;
}
