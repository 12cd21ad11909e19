const a = b + 1;           // expected-error {{E0203}} {{the constant `a` depends on itself}}
const b = 2 * c;
const c = a;
