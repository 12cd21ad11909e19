fn f(x) = x;
fn f(x) = 2 * x;           // expected-error {{E0202}} {{`f` is defined twice}} {{the first definition}}
const a = 1, a = 2;        // expected-error {{`a` is defined twice}}
connection f { state h[d]; begin h = x; read x = h; write h = y; end x = h; } // expected-error {{`f` is defined twice}}
