model m {
  const d = 4;
  positions t <= 16;
  input  x[t, d] : real;
  input  weight[t] : real;
  target y[t, d] : real;
  param p = 1;
  let h[c] = p * x[c];
  loss mse(h, y) weight x;             // expected-error {{E0311}} {{a weight must be a single value, but it is a tensor [4]}}
  loss mse(h, y) weight -1;            // expected-error {{a weight is not negative, and this is -1}}
  loss mse(h, y) weight weight > 0;    // expected-error {{E0217}} {{a condition stands where a number is needed}}
  loss h weight weight;                // expected-error {{E0311}} {{this must be a single value}}
}
