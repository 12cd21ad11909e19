fn f(x) -> y {
  let a = 1e999;            // expected-error {{E0103}} {{too large}}
  let b = 1e-999;           // expected-error {{too small}}
  let c = 12abc;            // expected-error {{`12abc` is not a number}}
  let e = 1.;               // expected-error {{write `1` or `1.0`}}
  let f = .5;               // expected-error {{write `0.5`}}
  let g = 1.2.3;            // expected-error {{E0103}}
  let h = 0x10;             // expected-error {{E0103}}
  let i = 1e;               // expected-error {{E0103}}
  let y = 0.000 + 1e-3;
}
