fn f(x[4], z[3]) -> y {
  let a = [x, z];                 // expected-error {{[4] and [3] do not fit side by side}}
  let b = [x, 1 < 2];             // expected-error {{a condition stands where a number is needed}}
  let c = concat(x, 2);           // expected-error {{`concat` joins tensors, and this is the number 2}} {{`[a, b]`}}
  let e = concat(x);              // expected-error {{`concat` takes at least 2 arguments, not 1}}
  let g = [[x[0], x[1]], z];      // expected-error {{[2] and [3] do not fit side by side}}
  let u = concat([x], [[1, 2]]);  // expected-error {{[1, 4] and [1, 2] do not fit side by side}}
  const k = [1, 2];               // expected-error {{a list is a tensor, and a constant is needed here}} {{`T[0]`}}
  let y = x[0] + [1, 2][2];       // expected-error {{this reaches entry 2, but the axis of this value has 2}}
}
fn slices(x[4], z[3]) -> y {
  let a = x[2 .. 5];              // expected-error {{the slice `2 .. 5` reaches past the axis of `x`, which has 4}}
  let b = x[3 .. 3];              // expected-error {{a slice has one entry at least: `3 .. 3` has none}}
  let c = x[-1 ..];               // expected-error {{the slice `-1 .. 4` reaches past}}
  let e = x[.. 1.5];              // expected-error {{where a slice ends}}
  let g = [0 .. 3];               // expected-error {{`..` stands in a subscript alone}}
  let h[i] = x[0 .. 2];           // expected-error {{the right side is still a tensor [2]}}
  let u[0 .. 2] = x;              // expected-error {{the left side names its indices}}
  let v = x[1..3];
  let y = v[0];
}
model m {
  input x[4] : real;
  param p[3] = [1, 2];            // expected-error {{this axis has 3 entries, and the list has 2}}
  param q[2] = [[1, 2], [3, 4]];  // expected-error {{1 entries are left for the 2 of this list}}
  param r[2, 2] = [[1, 2], [3, 4, 5]]; // expected-error {{this axis has 2 entries, and the list has 3}}
  param s[3] = 1;
  loss f(x, s) + slices(x, s) + p[0] + q[0] + r[0, 0];
}
