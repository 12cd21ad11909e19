// Streams that the state does not keep: read, written, begun, chosen by an initial value.
use std;
connection reads(n = 4) {
  state H[n, d];
  begin H[i,c] = x[c];
  let u[c]     = H[n, c];                          // expected-error {{E0212}} {{this reaches entry 4, but the axis of `H` has 4 (0 to 3)}} {{the state `H` keeps 4 of them}} {{in `h.a.hc`}}
  read  x      = u;
  write H[k,c] = H[k,c] + onehot(n)[k] * y[c];     // expected-warning {{E0212}} {{this is 0 everywhere: `onehot(4)` of an axis of 4 entries (0 to 3)}} {{`onehot(k % 4)`}}
  end   x      = u;
}
connection shifts(n = 4) {
  state H[n, d];
  begin H[i < 5, c] = x[c];                        // expected-error {{E0214}} {{this axis has 4 entries, not 5}} {{`H` got its shape here}}
  let u[c]     = H[0, c];
  read  x      = u;
  write H[k,c] = H[k + 1, c] + y[c];
  end   x      = u;
}
connection writes(n = 4) {
  state H[n, d];
  begin H[i,c] = x[c];
  let u[c]     = H[0, c];
  read  x      = u;
  write H[4,c] = y[c];                             // expected-error {{E0212}} {{this is entry 4, but the axis has 4 (0 to 3)}} {{`H` got its shape here}}
  end   x      = u;
}
connection starts(n = 4) {
  state H[n, d];
  param A[n]   = onehot(site)  nodecay;            // expected-warning {{`onehot(4)` of an axis of 4 entries}} {{in `l.4.a.hc`}}
  begin H[i,c] = x[c];
  let u[c]     = sum[i] A[i] * H[i,c];
  read  x      = u;
  write H[k,c] = H[k,c] + y[c];
  end   x      = u;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = reads : linear(d); };
  let i = trunk(x) { a = shifts : linear(d); };
  let j = trunk(x) { a = writes : linear(d); };
  let l = trunk(x) { repeat 5 { a = starts : linear(d); } };
  loss mse(h, y) + mse(i, y) + mse(j, y) + mse(l, y);
}
