use std               // expected-error {{expected `;` after the statement, found `const`}}
const a = 1           // expected-error {{expected `;` after the statement, found `fn`}}
fn f(x) = a * x       // expected-error {{expected `;` after the statement, found the end of the file}}
