use std;
connection given(by = 1) : z[e], w[d] {
  state h[d];
  param P[d, e] ~ normal(0.02);
  begin h = x;
  let u[c] = h[c] + w[c] + by * (sum[a] P[c,a] * z[a]);
  read  x = u;
  write h[c] = h[c] + y[c];
  end   x = h;
}
connection checked(n = 4) : z[n, e] {   // used nowhere
  state H[n, d];
  begin H[i,c] = x[c] + z[i,c];         // expected-error {{E0213}} {{`c` ranges over 240, but this axis of `z` has}}
  let s[c] = sum[i] H[i,c];
  read  x = s;
  write H[i,c] = H[i,c] + y[c];
  end   x = s;
}
model m {
  const d = 8;
  const early = given(3);               // by place come the parameters where there are no inputs yet
  positions t <= 16;
  input x[t, d] : real;
  input z[t, 5] : real;
  target y[t, d] : real;
  let a = trunk(x) { one = given : linear(d); };               // expected-error {{E0304}} {{`given` needs its input `z`}}
  let b = trunk(x) { one = given(z, z) : linear(d); };         // expected-error {{E0214}} {{axis 1 of input `w` has 5, but is declared to have 8}}
  let c = trunk(x) { one = given(z, x, at = 2) : linear(d); }; // expected-error {{`given` has no parameter `at`}}
  let e = trunk(x) { one = given(zz, x) : linear(dd); };       // expected-error {{unknown name `zz`}}  expected-error {{unknown name `dd`}}
  let f = trunk(x) { one = residual(x) : linear(d); };         // expected-error {{`x` is not known before the model runs}}
  let g = trunk(x) { one = early(z, x) : linear(d); };
  loss mse(a, y) + mse(b, y) + mse(c, y) + mse(e, y) + mse(f, y) + mse(g, y);
}
