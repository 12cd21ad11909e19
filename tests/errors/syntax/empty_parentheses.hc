fn f(x) = x * ();           // expected-error {{expected an expression, found `)`}}
fn g() = 1;
fn h(x) = g() + f(,);       // expected-error {{found `,`}}
// expected-error@-1 {{expected an expression, found `)`}}
