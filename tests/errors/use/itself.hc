use "itself.hc";      // expected-error@* {{E0203}} {{`itself.hc` would use itself}}
