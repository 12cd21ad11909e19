use "round_b.hc";     // expected-error@* {{E0203}} {{`round_a.hc` would use itself}} {{by way of this}} {{into a third one}}
fn a(x) = 2 * x;
