// Lines end as on other systems.
fn f(x) = ;   // expected-error {{expected an expression, found `;`}}
fn g(x) = x   // expected-error {{found the end of the file}}
