// Reading through a table of indices: code that does not grow with the table, in runs of arithmetic.
// RUN: hcc emit --stage nests %s | awk 'END { print NR < 20000 ? "short" : "long" }' | FileCheck %s
// RUN: hcc emit --stage nests --set d=65 %s | awk 'END { print NR < 20000 ? "short" : "long" }' | FileCheck %s
// RUN: hcc emit --stage nests --set d=1000 %s | awk 'END { print NR < 20000 ? "short" : "long" }' | FileCheck %s

// CHECK: short
model m {
  const d = 130;
  positions t <= 3;
  input u[t] : real;
  param P[4, 7] ~ normal(0.3);
  param V[d] ~ normal(0.5);
  let a[c < d] = tanh(P[c % 4, c % 7]) * (u + V[c]);
  let b[c < d] = a[(c + 7) % d];
  let e[c < d] = b[d - 1 - c] + b[floor(c / 2)];
  loss sum[c] e[c]^2;
}
