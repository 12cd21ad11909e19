// Writes of another shape than the state's.
use std;
connection whole(n = 4) {
  state H[n, d];
  begin H[i,c] = x[c];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H      = u;                                // expected-error {{E0214}} {{`H` is [4, 8], this is [8]}} {{`H` got its shape here}}
  end   x      = u;
}
connection swapped(n = 4) {
  state H[n, d];
  begin H[i,c] = x[c];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H[c,k] = H[c,k] + y[k] * u[c];             // expected-error {{E0213}} {{`c` ranges over 4, but this axis of `u` has 8}}
  end   x      = u;
}
connection longer(n = 4) {
  state H[n, d];
  param M[n, n + 1] = 1;
  begin H[i,c] = x[c];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H[k,c] = sum[j] M[j,k] * H[j,c] + y[c];    // expected-error {{`k` ranges over 4, but this axis of `M` has 5}}
  end   x      = u;
}
connection fewer(n = 4) {
  state H[n, d];
  begin H[i,c] = x[c];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H[c]   = y[c];                             // expected-error {{E0211}} {{`H` has 2 axes, but 1 are given here}}
  end   x      = u;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = whole : linear(d); };
  let i = trunk(x) { a = swapped : linear(d); };
  let j = trunk(x) { a = longer : linear(d); };
  let k = trunk(x) { a = fewer : linear(d); };
  let l = trunk(x) { a = residual : linear(2 * d); }; // expected-error@* {{`c` ranges over 8, but this axis of `y` has 16}} {{in `l.a.hc`}}
  loss mse(h, y) + mse(i, y) + mse(j, y) + mse(k, y) + mse(l, y);
}
