use std;
module two(t) {            // expected-error {{E0222}} {{`two` has no result}} {{module two : x[d] -> y[d]}}
  param p = 1;
}
model m {
  positions t <= 16;
  input x[t, 4] : real;
  loss sum[c] x[c] * two(t);
}
