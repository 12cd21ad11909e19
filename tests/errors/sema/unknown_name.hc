fn f(x) = x * gian;        // expected-error {{E0201}} {{unknown name `gian`}}
fn gain(x) = 2 * x;
fn g(x) = gian(x);         // expected-error {{unknown function `gian`}} {{did you mean `gain`?}}
