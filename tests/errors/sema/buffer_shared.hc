branch b(k = 2) : x[d] -> y[d] {
  buffer all[k] = 1 shared;          // expected-error {{E0214}} {{`all` is shared, but is [3] here and [2] before}}
  update all = 2 * all;              // expected-error {{E0224}} {{the buffer `trunk.b.all` is updated twice in a step}} {{the first time by `trunk.one`, the second by `trunk.two`}}
  let y[c] = x[c] * sum[i] all[i];
}

model wrong {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { one = residual : b; two = residual : b; three = residual : b(k = 3); };
  loss mse(h, y);
}
