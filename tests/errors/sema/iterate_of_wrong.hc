// What an iteration cannot tell because of an earlier mistake is not another mistake.
use std;
model m {
  positions t <= 16;
  input x[t, 4] : real;
  let L[i,j] = x[i] * x[j] * nothing;        // expected-error {{unknown name `nothing`}}
  let M = sinkhorn(L, 3);
  let u[i] = 1, v[j] = 1;
  iterate 3 {
    v[j] = 1 / sum[i] L[i,j] * u[i];
    u[i] = 1 / sum[j] L[i,j] * v[j];
  }
  loss sum[i,j] M[i,j] * u[i] * v[j];
}
