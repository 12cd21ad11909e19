// Statements and definitions of other languages.
def f(x):                          // expected-error {{expected a definition, found `def`}} {{`fn f(x) = …;`}}
  let y = x
  return y

branch b : x[d] -> y[d] {
  param W[d, d] ~ normal(0.1);
  return sum[k] W[c,k] * x[k];     // expected-error {{E0106}} {{there is no statement `return`}} {{`let y[c] = …;`}}
}
class C : x[d] -> y[d] {           // expected-error {{expected a definition, found `class`}} {{`module`, `branch` or `connection`}}
  let y = x;
}
import numpy;                      // expected-error {{expected a definition, found `import`}} {{use "file.hc";}}
fn g(x) = 2 * x;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  var z = x;                       // expected-error {{E0101}} {{`let x = …;`}}
  let h = trunk(x) {
    attention(4);                  // expected-error {{E0106}} {{there is no statement `attention`}} {{a trunk is made of sites}}
    a = attention(4);              // expected-error {{E0106}} {{the site `a` has no connection}} {{write which one stands around the branch: `a = }}
    x = x + attention(x, 4);       // expected-error {{E0106}} {{the site `x` has no connection}} {{what is added to what is a connection's}}
    residual : attention(4);       // expected-error {{E0101}} {{found `:`}} {{a site has a name}}
    let u = 2;                     // expected-error {{E0106}} {{`let` belongs in a model or a definition}} {{a trunk is made of sites}}
  };
  loss mse(h, y);
}
