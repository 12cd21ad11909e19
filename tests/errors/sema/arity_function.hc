fn f(x, scale) = scale * x;
fn g(x) = f(x);            // expected-error {{E0204}} {{`f` needs its argument `scale`}} {{declared here}}
fn h(x) = f(x, 2, 3);      // expected-error {{`f` takes 2 arguments, not 3}}
fn k(x) = f(x, scael = 2); // expected-error {{`f` has no parameter `scael`}} {{did you mean `scale`?}}
