/// `as` names what a call makes, and nothing else.
connection named(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read x = norm(h) as before;          // expected-error {{`norm` is made already, and has its name}}
  write h[c] = h[c] + y[c];
  end x = norm(h);
}
connection called {
  state h[d];
  begin h = x;
  let y = branch(h) as late;           // expected-error {{`branch` is the site's, and named after it}}
  write h[c] = h[c] + y[c];
  end x = h;
}
model m {
  const d = 4, wrapped = residual() as plain;   // expected-error {{`residual` is named after its site}}
  input x[d] : real;
  let a = tanh(x) as bent;             // expected-error {{`tanh` holds no parameters}} {{`as` names the instance of a module or branch that a call makes}}
  let h = trunk(x) {
    s = named(norm = rmsnorm_affine) : linear(d);
    u = called : linear(d);
    v = residual : linear(d) as up;    // expected-error {{`linear` is named after its site}}
  };
  let as = 2, b[c] = as * a[c] + h[c];
  output b;
}
