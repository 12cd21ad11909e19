fn f(x[d]) -> y {
  let a = sum i x[i];       // expected-error {{a reduction names its indices}}
  let b = sum[i + 1] x[i];  // expected-error {{found `+`}}
  let g = sum[i <= 3] x[i]; // expected-error {{found `<=`}}
  let c = sum[i];           // expected-error {{expected an expression, found `;`}}
  let e = 2 ^ sum[i] x[i];  // expected-error {{found `[`}}
  let y = sum[i] x[i] * 2;
}
