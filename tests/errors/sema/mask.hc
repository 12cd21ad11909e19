branch seeing(heads) : x[d], mask = true -> y[d] {
  const e = d / heads;
  let q[h, a < e] = x[h * e + a];
  let o = attend(q, q, q, mask = mask);   // expected-error {{E0214}} {{the mask is one value for each key, or one for each of its 2 heads, not a tensor [4]}}
  let y[h * e + a] = o[h,a];
}
model m {
  const d = 4;
  positions t <= 5;
  positions u <= 5;
  input x[t, d] : real;
  input k[u]    : real;
  let q[h < 2, a] = x[2 * h + a];
  let o = attend(q, q, q, mask = k);      // expected-error {{E0215}} {{the mask lives at the positions of the keys}}
  let h = trunk(x) {
    a = residual : seeing(2, mask = x);
    b = residual : seeing(2, mask = z);   // expected-error {{E0201}} {{unknown name `z`}}
  };
  loss mean[c] h[c];
}
