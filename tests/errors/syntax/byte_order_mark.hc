fn f(x) = ;   // expected-error {{expected an expression, found `;`}}
