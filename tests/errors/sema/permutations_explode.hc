use std;
connection lite(n = 4) {
  state H[n, d];
  let P = permutations(n);          // expected-error {{E0502}} {{40! = 8.159e+47 permutations are too many: `permutations` takes at most 9}} {{in `trunk.a.hc`, an instance of the connection `lite`}} {{the number comes from here}}
  param w[extent(P, 0)] = 0;
  begin H[i,c] = x[c];
  let p[i]     = softmax[i] w[i];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  let s[c]     = sum[i] H[i,c];
  write H[k,c] = sum[i] p[i] * H[P[i,k], c] + y[c];
  end   x      = s;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = lite(n = 40) : linear(d); };
  loss mse(h, y);
}
