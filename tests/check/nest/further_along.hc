// What reads a branch's result a step further along: as much code a site at every site, whatever the widths.
// RUN: hcc emit --stage nests %s | awk 'END { print NR < 3000 ? "short" : "long" }' | FileCheck %s
// RUN: hcc emit --stage nests --set d=31 %s | awk 'END { print NR < 8000 ? "short" : "long" }' | FileCheck %s
// RUN: hcc emit --stage nests --set d=33 %s | awk 'END { print NR < 3000 ? "short" : "long" }' | FileCheck %s
// RUN: hcc emit --stage nests --set d=65 %s | awk 'END { print NR < 3000 ? "short" : "long" }' | FileCheck %s

// CHECK: short
connection c {
  state H[1, d];
  begin H[i,c] = x[c];
  read  x      = H[0];
  write H[k,c] = tanh(y[k + 1] - H[k,c]);
  end   x      = H[0];
}
branch same : x[d] -> y[d] { let y[c] = x[c]; }
model m {
  const d = 16, depth = 6;
  positions t <= 2;
  input u[t, d] : real;
  param W[d, d] ~ normal(0.5);
  let x[k] = sum[a] W[k,a] * u[a];
  let h = trunk(x) { repeat depth { a = c : same; } };
  loss sum[c] h[c]^2;
}
