fn f(x) = x;
// expected-error@+1 {{E0104}} {{this comment is never closed}}
/* no end
fn g(x) = = x;
