fn f(x) = x + gelu;        // expected-error {{E0205}} {{the function `gelu` stands where a number is needed}} {{call it}}
fn g(x) = x * tanh;        // expected-error {{a built-in function stands where a number is needed}}
