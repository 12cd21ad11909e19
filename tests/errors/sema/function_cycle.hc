fn f(x) = g(x) + 1;        // expected-error@+1 {{E0203}} {{`f` uses itself}} {{by way of `g`}} {{do not recur}}
fn g(x) = 2 * f(x);
