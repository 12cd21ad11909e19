connection c(inner = residual) {
  around inner;
  write all old, new = new;         // expected-error {{E0101}} {{expected `=` behind `all`}} {{`write each old, new = ...;`}}
  write each old = old;             // expected-error {{E0101}} {{expected `,`}}
}
model m {
  around x;                         // expected-error {{E0106}} {{`around` belongs in a connection}}
  write each old, new = new;        // expected-error {{E0106}} {{`write` belongs in a connection}}
}
