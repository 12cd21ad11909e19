fn f(x[d]) -> y[d] {
  let a[i] = x[i;           // expected-error {{E0104}} {{expected `]`, found `;`}}
  let b[i = a[i];           // expected-error {{expected `,`, `]` or an operator, found `=`}}
  let c = sum[i x[i];       // expected-error {{expected `]`, `,` or `<`, found `x`}}
  let y[i] = a[i];
}
