// What a position of a causal space sees by way of another space.
model hourglass {
  const d = 4;
  positions t <= 16 causal;
  positions s <= 4;
  input  x[t, d] : real;
  target y[t, d] : real;
  let p[c] = mean[k < 4] x[4 * s + k, c];
  let a[c] = p[floor(t / 4), c];        // expected-error {{E0314}} {{what is taken from the positions `s` here was made of later positions of `t`}} {{position 0 would see position 3}} {{a position further back}}
  let b[c] = p[floor(t / 4) - 1, c];
  let z[c] = x[t - 3, c];
  let q[c] = mean[k < 4] z[4 * s + k, c];
  let e[c] = q[floor(t / 4), c];
  let Q[h < 1, c] = q[c];
  let o = attend(Q, Q, Q);
  let f[c] = o[floor(t / 4) - 1, 0, c]; // expected-error {{E0314}} {{was made of later positions of `t`}} {{position 4 would see position 12}}
  let g = attend(Q, Q, Q, causal = true);
  let h[c] = g[floor(t / 4), 0, c] + x[0, c];
  let X[h < 1, c] = x[c];
  let k = attend(X, Q, Q);              // expected-error {{E0314}} {{attention that is not causal sees later positions}} {{position 0 would see position 12}} {{what it attends to was made of positions `t`}}
  let l[c] = x[2 * t, c];               // expected-error {{this takes a value from a later position}} {{position 1 would see position 2}}
  let X1 = all_positions(x);
  let m[c] = x[c] + X1[3, c];           // expected-error {{E0314}} {{summed over all of them}} {{position 0 would see position 15}}
  let w[c] = m[c] + a[c] + b[c] + e[c] + f[c] + h[c] + k[0, c] + l[c] + x[floor(t / 2), c];
  loss mse(w, y);
}
