// A tensor with fewer subscripts than axes, where indices stand on the left.
connection c(n = 4, norm = rmsnorm) {
  state H[n, d];
  param P[n, n, n, d], Q[n] ~ normal(0.02);
  begin H[i,c] = x[c];
  let p[i,j]   = sum[c] P[i,j,c] * H[i,c];    // expected-error {{E0211}} {{`P` has 4 axes, and 3 were given}} {{it is [4, 4, 4, 8]}} {{every axis on the right has one}}
  let r[i,c]   = H[i,c] * exp(H[c]);          // expected-error {{E0211}} {{`H` has 2 axes, and 1 was given}}
  let q[i,c]   = norm(H[i])[c] * Q[i];        // whole rows are for what takes them
  let v        = H[0];
  let u[c]     = v[c] + sum[i] q[i,c];
  read  x      = norm(u);
  write H[i,c] = H[i] + y[c];                 // expected-error {{E0211}} {{`H` has 2 axes, and 1 was given}}
  let s[c]     = sum[i] H[i,c];
  end   x      = norm(s);
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = c : linear(d); };
  loss mse(h, y);
}
