fn f(x) -> y {
  let a = x);               // expected-error {{this `)` closes nothing}}
  let b = a];               // expected-error {{this `]` closes nothing}}
  let y = (a];              // expected-error {{expected `)`, found `]`}} {{opened here}}
}
}                           // expected-error {{this `}` closes nothing}}
fn g(x) = 2 * x;
