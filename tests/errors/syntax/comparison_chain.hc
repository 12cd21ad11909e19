fn f(a, b, c) = select(a < b < c, 1, 0);   // expected-error {{comparisons do not chain}}
fn g(a, b) = select((a = b), 1, 0);        // expected-error {{equality is written `==`}}
fn h(a, b) = select(a == b && b != 1 || !(a < 2), 1, 0);
