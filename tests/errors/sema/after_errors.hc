// What a site says is checked whatever became of the trunk, its connection or an earlier site.
use std;
connection broken {
  state h[d];
  begin h = x;
  read  x = nrom(h);                   // expected-error {{unknown function `nrom`}}
  write h[c] = h[c] + y[c];
  end   x = h;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = broken : linear(dd);           // expected-error {{unknown name `dd`}}
    repeat 2 {
      b = residual : mlp(hiden);       // expected-error {{unknown name `hiden`}}
      c = brokne : linear(ee);         // expected-error {{unknown name `brokne`}} {{`broken`}}  expected-error {{unknown name `ee`}}
    }
  };
  let g = trunk(xx) {                  // expected-error {{unknown name `xx`}}
    a = residual : linear(ff);         // expected-error {{unknown name `ff`}}
  };
  loss mse(h, y) + mse(g, y);
}
