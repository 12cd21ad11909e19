fn f(x[n], k) -> y[n] {
  let a = sum[i < n] x[i];
  let b = sum[i < n + 1] x[i];   // expected-error {{E0213}} {{`i` ranges over 241, but this axis of `x` has 240}}
  let c = sum[i < 0] x[i];       // expected-error {{an extent is 0}}
  let e = sum[i < x[0]] x[i];    // expected-error {{not known before the model runs}}
  let y[j] = softmax[j < 3] x[j]; // expected-error {{its range stands on the left side}}
  let z = a + b + c + e;
}

model m {
  positions t <= 4;
  input x[t] : real;
  loss mean[t < 2] x;            // expected-error {{goes over all of them}}
}
