fn f(x) = f(x) + 1;        // expected-error {{E0203}} {{`f` uses itself}}
