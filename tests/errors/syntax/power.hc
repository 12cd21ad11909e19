fn f(x) = x ** 2;           // expected-error {{a power is written `a ^ b`}}
fn g(x) = x ^ -2 ^ 3;
fn h(x) = x ^;              // expected-error {{expected an expression, found `;`}}
