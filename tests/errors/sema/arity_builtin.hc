fn f(x) = exp(x, 2);       // expected-error {{E0204}} {{`exp` takes 1 argument, not 2}}
fn g(x) = select(x > 0, 1);   // expected-error {{`select` takes 3 arguments, not 2}}
fn h(x) = tanh(x, y = 1);  // expected-error {{`tanh` has no parameter `y`}}
