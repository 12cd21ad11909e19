use std;

connection eased(inner = residual) {
  around inner;
  let e[c] = 0.5 * h[c];            // expected-error {{E0201}} {{`h` is of the connection `inner`, and no name of this text}} {{`inner.h` is its value}}
  write each old, new = 0.5 * (old + new);
}
branch mixing : x[d], v0[d] -> y[d], v[d] {
  let v[c] = x[c];
  let y[c] = v0[c] + v[c];
}
model m {
  const d = 8;
  positions t <= 4;
  input x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { a = eased : mlp(9); };
  let g = trunk(h) {
    a = resformer : mixing;         // expected-error {{E0304}} {{`mixing` needs its input `v0`}} {{its site or its connection gives it; where neither may have it, it needs a default}}
  };
  let s[c] = g[c] + h.a.state.h[c]; // expected-error {{`h.a.state` is a value, and has no parts}} {{go by their names: `h.attn[1].H`}}
  loss mse(s, z);
}
