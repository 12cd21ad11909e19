branch flat(k) : x[d] -> y[d] {
  let w = window(x, k);            // expected-error {{E0204}} {{are a grid: `window` takes a number for each of its two axes}} {{window(x, 1, 1)}}
  let y[c] = sum[a] w[a,c];
}
model m {
  const d = 4;
  positions (r <= 3, c <= 4);
  positions t <= 5;
  input x[r, c, d] : real;
  input s[t, d]    : real;
  input v[d]       : real;
  let a = shift(x, 1);             // expected-error {{E0204}} {{takes a number for each of its two axes}}
  let b = shift(s, 1, 1);          // expected-error {{E0204}} {{the positions `t` are not a grid: `shift` takes one number}}
  let e = shift(v, 1);             // expected-error {{E0215}} {{`shift` goes over positions, and this value has none}}
  let f = shift(s, 0.5);           // expected-error {{E0207}} {{`shift` takes whole numbers, not the number 0.5}}
  let g = window(s, 0);            // expected-error {{E0207}} {{`window` takes whole numbers from 1, not the number 0}}
  let h = window(s, v);            // expected-error {{E0207}} {{`window` takes whole numbers from 1, not a tensor [4]}}
  let i = window(x, 40, 40);       // expected-error {{E0502}} {{a window of 1600 positions is too large}}
  let j = window(s);               // expected-error {{E0204}} {{`window` takes at least 2 arguments, not 1}}
  let k = trunk(x) { a = shc(n = 2) : flat(3); };
  loss sum[c] v[c];
}
