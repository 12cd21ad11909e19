use std;

connection memory(norm = rmsnorm) {
  state h[d], m[d];
  begin h = x, m = x;
  let u[c] = h[c] + m[c];
  read x = norm(u);
  write h[c] = h[c] + y[c];
  write m[c] = 0.5 * (m[c] + y[c]);
  end x = norm(h);
}

connection gathered {
  state X[depth, d];
  begin X[0,c] = x[c];
  let u[c] = sum[j] X[j,c];
  read x = u;
  append X[c] = y[c];
  let s[c] = sum[j] X[j,c];
  end x = s;
}

model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = residual : linear(d);
    b = memory : linear(d);
    c = residual : linear(d);
  };
  let g = trunk(x) {
    a = residual : linear(d);   // expected-warning {{E0231}} {{the branch `linear` of `g.a` has no path to the loss}} {{goes into the state `h`, which `shc`, the trunk's last connection, does not keep}}
    b = shc : linear(d);
  };
  let k = trunk(x) {
    a = gathered : linear(d);   // expected-warning {{E0231}} {{goes into the state `X`, which `residual`, the trunk's last connection, does not keep}}
    b = residual : linear(d);
  };
  loss mse(h, y) + mse(g, y) + mse(k, y);
}
