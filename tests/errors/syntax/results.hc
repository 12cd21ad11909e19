// Names without a value of their own are a `let`'s, and take what a call gives.
const a, b = 1;              // expected-error {{only a `let` takes several results of a call}}
fn f(x) -> y {
  const n, m = 2;            // expected-error {{only a `let` takes several results}}
  let y = x;
}
fn g(x) -> y {
  let u, v;                  // expected-error {{found `;`}}
  let y = x;
}
