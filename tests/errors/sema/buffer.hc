branch b : x[d] -> y[d] {
  param p = 1;
  buffer s = 1 nodecay;              // expected-error {{E0220}} {{`nodecay` is not an attribute of buffers}} {{`shared`}}
  buffer m[d] = 0, kept[d] = 0;
  buffer t;                          // expected-error {{E0219}} {{`t` has no initial value}}
  let u = 2 * p;
  update p = 2;                      // expected-error {{E0224}} {{`update` changes a buffer, and `p` is none}} {{a parameter is changed by training}}
  update u = 2;                      // expected-error {{E0224}} {{`u` is none}}
  update q = 2;                      // expected-error {{E0201}} {{unknown buffer `q`}}
  update m[c] = m[c] + u * s;
  update m[c] = 0;                   // expected-error {{E0224}} {{the buffer `trunk.a.m` is updated twice in a step}} {{site == sites - 1}}
  update kept = u;                   // expected-error {{E0214}} {{`kept` is [8], this is}}
  let y[c] = x[c] + m[c] + kept[c] + p;
}

model wrong {
  const d = 8;
  positions t <= 16;
  buffer s = 0 shared;               // expected-error {{E0220}} {{`shared` is for what stands at the sites of a trunk}}
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : b; };
  update s = 1;
  loss mse(h, y) + s;
}
