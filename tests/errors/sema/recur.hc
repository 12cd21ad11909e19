// Recurrences over positions: what they go over, what is multiplied by what.
use std;
branch backwards : x[d] -> y[d] {
  let m = recur(0.5, x, reverse = true);   // expected-error {{E0314}} {{this goes through the positions from the last one, and the loss depends on it: position 0 would see position 4}} {{in `trunk.a`, an instance of the branch `backwards`}} {{`reverse` sees what is to come}}
  let y[c] = m[c];
}
branch forwards : x[d] -> y[d] {
  let m[c] = recur(sigmoid(x[c]), x[c]);
  let y[c] = m[c];
}
model m {
  const d = 4;
  positions (r <= 3, c <= 4);
  positions t <= 5 causal;
  input x[r, c, d] : real;
  input s[t, d]    : real;
  input v[d]       : real;
  let a = recur(0.5, v);                   // expected-error {{E0215}} {{`recur` goes over positions, and neither of these values has any}}
  let b = recur(0.5, x);                   // expected-error {{E0215}} {{`recur` goes from one position to the next, and `r` are those of a grid}}
  let e = recur(0.5, s, true, 1);          // expected-error {{E0204}} {{`recur` takes 3 arguments, not 4}}
  let f = recur(0.5, s, reverse = 1);      // expected-error {{`reverse` is `true` or `false`, not the number 1}}
  let g = recur(s, x);                     // expected-error {{E0215}} {{one operand lives at positions `t`, the other at `r`}}
  let k = recur(0.5, s > 0);               // expected-error {{a condition stands where a number is needed}}
  let w[j] = recur(v[j], s[j]);
  let h = trunk(s) { a = residual : backwards; b = residual : forwards; };
  loss sum[j] h[j] * w[j];
}
