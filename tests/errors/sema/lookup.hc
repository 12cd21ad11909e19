model m {
  const d = 4;
  positions (r <= 3, c <= 4);
  positions t <= 5;
  input image[8, 8] : real;
  input x[t, d]     : real;
  input y[t, d, d]  : real;
  input tok[t]      : token(9);
  param W[5, d] ~ normal(1);
  let a[i < 3] = image[3 * r + i, c];      // expected-error {{E0212}} {{this reaches entry 8, but the axis of `image` has 8 (0 to 7)}} {{at `r` = 2}}
  let b = image[r, t];                     // expected-error {{E0215}} {{positions of two spaces choose one entry}}
  let e[i] = W[tok, i];                    // expected-error {{E0214}} {{tokens run to 9, but this axis of `W` has 5}}
  let f[i] = W[x[i], i];                   // expected-error {{E0206}} {{this is a real number}} {{`E[tokens, c]`}}
  let g = y[r / 2, 0];                     // expected-error {{E0212}} {{0.5 is not a whole number}} {{at `r` = 1}}
  let h = W[t, 0] + W[0, 0][t];            // expected-error {{E0215}} {{this value does not live at positions `t`}}
  let j = W[t / 2, 0];                     // expected-error {{E0212}} {{0.5 is not a whole number}} {{at `t` = 1}}
  let k = image[r, argmax[i] image[r, i]];
  let l = image[r, 1 + argmax[i] image[0, i]]; // expected-error {{E0206}}
  loss mean[t] sum[i] x[i];
}
