// A name in Latin-1: expected-error@+1 {{E0105}} {{save the file as UTF-8}}
// café
fn f(x) = x;
