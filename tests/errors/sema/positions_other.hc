// Values of other positions: which there are, and what cannot be taken so.
model m {
  const d = 8;
  positions t <= 16;
  positions s <= 8;
  positions (i <= 4, j <= 4);
  input x[t, d] : real;
  input z[s, d] : real;
  input g[i, j, d] : real;
  input w[d]    : real;
  input tokens[t] : token(9);
  target y[s, d] : real;
  let a[c] = z[c] + x[2 * s, c] + x[s, c] + z[2 * s, c] + z[s - 1, c] + w[s % 8];
  let b[c] = z[c] + x[s / 2, c];       // expected-error {{E0212}} {{0.5 is not a whole number}} {{at `s` = 1}}
  let e[c] = z[c] + w[s, c];           // expected-error {{E0215}} {{`w` does not live at positions `s`}}
  let f[c] = z[c] + x[c];              // expected-error {{E0215}} {{one operand lives at positions `s`, the other at `t`}}
  let h[c] = sum[k] x[2 * s + k, c];   // expected-error {{E0210}} {{the range of index `k` cannot be told}}
  let l    = tokens[2 * s];            // expected-error {{whole numbers are taken from other positions as they are only by a number}} {{a row that is looked up}}
  let o[c] = x[s + i, c];              // expected-error {{E0215}} {{positions of two spaces choose one entry}}
  let p[c] = z[c] + g[s, c];           // expected-error {{E0211}} {{`g` has 1 axis behind the two subscripts of its position, and 0 were given}}
  let q[c] = g[s, argmax[k] w[k], c];  // expected-error {{a number of the run chooses among positions of a line, not of a grid}}
  let r[c] = x[w[0], c];               // expected-error {{this is a real number}}
  let v = all_positions(w);            // expected-error {{E0215}} {{`all_positions` goes over positions, and this value has none}}
  let k = max[t] tokens;               // expected-error {{only `sum` and `mean` go over positions}} {{`max[u] all_positions(x)[u]`}}
  let u[c] = x[c, s, 0];               // expected-error {{E0215}} {{`x` lives at positions `t`, and this is a position of `s`}} {{`x[s, ...]`}}
  loss mse(a, y);
}
