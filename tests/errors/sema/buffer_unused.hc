model m {
  const d = 8;
  buffer kept = 0;                   // expected-warning {{E0303}} {{the buffer `kept` is never updated}} {{update kept... = ...}}
  buffer lone = 0;                   // expected-warning {{E0230}} {{the buffer `lone` is never used}}
  buffer good = 0;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  param p = 1;
  let z[c] = p * x[c];
  update good = good + 1, lone = 1;
  loss mse(z, y) + kept * good;
}
