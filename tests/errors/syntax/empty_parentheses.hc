fn f(x) = x * ();           // expected-error {{expected an expression, found `)`}}
fn g() = 1;
fn k(a, b) = a + b;
fn h(x) = g() + k(,);       // expected-error {{found `,`}}
// expected-error@-1 {{expected an expression, found `)`}}
