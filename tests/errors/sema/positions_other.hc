// Subscripts that are positions, of a value that lives at others, or that are no number away.
model m {
  const d = 8;
  positions t <= 16;
  positions s <= 8;
  input x[t, d] : real;
  input z[s, d] : real;
  input w[d]    : real;
  target y[s, d] : real;
  let a[c] = z[c] + x[2 * s, c];       // expected-error {{E0215}} {{`x` lives at positions `t`, and this is a position of `s`}} {{mean[t] ...}}
  let b[c] = z[c] + x[s, c];           // expected-error {{E0215}} {{`x` lives at positions `t`, and this is a position of `s`}}
  let e[c] = z[2 * s, c];              // expected-error {{E0215}} {{another position of `z` is a number of positions away, as in `s - 1`}} {{`shift` or `window`}}
  let f[c] = z[c] + w[s, c];           // expected-error {{E0215}} {{`w` does not live at positions `s`}}
  let g[c] = z[c] + x[c];              // expected-error {{E0215}} {{one operand lives at positions `s`, the other at `t`}}
  let h[c] = z[s - 1, c] + w[s % 8];   // what is no value of positions may be looked up by them
  loss mse(h, y);
}
