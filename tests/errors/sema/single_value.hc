/// A single value where a vector is wanted.
model m {
  positions t <= 3;
  input x[t] : real;
  target z[t] : real;
  param w = 1;
  let y = w * x;
  loss mse([y], [z]);
  loss mse(y, z);  // expected-error {{E0214}} {{`prediction` has 1 axis, but this has 0}} {{in brackets, `[a]`, is a vector of one entry}} expected-error {{`target` has 1 axis}} {{`[a]`}}
}
