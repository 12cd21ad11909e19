// Attention between two spaces of positions.
branch cross : q[d], k[d] = q -> y[d] {
  let Q[h < 1, c] = q[c];
  let K[h < 1, c] = k[c];
  let o    = attend(Q, K, K, causal = true);   // expected-error {{E0314}} {{causal attention goes over one space of positions: of a query at `t` and a key at `s` neither is later}} {{say by `mask` which keys count}}
  let y[c] = o[0, c];
}
model m {
  const d = 8;
  positions t <= 16;
  positions s <= 8;
  input x[t, d] : real;
  input z[s, d] : real;
  input w[d]    : real;
  let X[h < 2, c < 4] = x[4 * h + c];
  let Z[h < 2, c < 4] = z[4 * h + c];
  let a = attend(X, Z, X);              // expected-error {{E0215}} {{queries live at some, and keys and values at those of one space}} {{keys live at positions `s`}} {{values live at positions `t`}}
  let b = attend(X, Z, Z, mask = x[0] > 0);   // expected-error {{E0215}} {{the mask lives at the positions of the keys, `s`}}
  let e = attend(Z, X, X, mask = x[0] > 0);
  let W[h < 2, c < 4] = w[4 * h + c];
  let f = attend(X, W, W);              // expected-error {{keys have no positions}}
  let h = trunk(x) {
    a = residual : cross(k = z);
  };
  loss mean[c] h[c];
}
