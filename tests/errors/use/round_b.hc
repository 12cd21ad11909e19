use "round_a.hc";     // expected-error@* {{E0203}} {{`round_b.hc` would use itself}}
fn b(x) = a(x);
