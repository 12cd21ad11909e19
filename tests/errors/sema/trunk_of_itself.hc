/// A trunk is asked once it is whole; it is not among the names of its own sites.
branch beside : x[d], k[d] -> y[d] { let y[c] = x[c] + k[c]; }
model m {
  const d = 4;
  positions t <= 3;
  input x[t, d] : real;
  let g = trunk(x) { a = residual : linear(d); };
  let h = trunk(g) { a = residual : beside(k = g.a.y); b = residual : beside(k = g.state.h); };
  let f = trunk(x) {
    a = residual : linear(d);
    b = residual : beside(k = f.a.y);      // expected-error {{E0201}} {{`f` is the trunk that this stands in}} {{go on with `let f = trunk(g)}}
  };
  let e = trunk(x) {
    a = residual : linear(d);
    b = residual : beside(k = e.state.h);  // expected-error {{`e` is the trunk that this stands in, which can be asked only once it is whole}}
  };
  let i = trunk(x) { a = residual : beside(k = i); };  // expected-error {{`i` is the trunk that this stands in}}
  let j[c] = j[c] + 1;                     // expected-error {{unknown name `j`}}
  output h;
}
