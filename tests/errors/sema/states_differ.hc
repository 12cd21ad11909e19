use std;
connection all {
  state X[depth, d];
  begin X[0,c] = x[c];
  let u[c] = sum[j] X[j,c];
  read x = u;
  append X[c] = y[c];
  let s[c] = sum[j] X[j,c];
  end x = s;
}
connection deep {
  state h[2, d];
  begin h[i,c] = x[c];
  read x = h[0];
  write h[i,c] = h[i,c] + y[c];
  end x = h[1];
}
connection fixed {
  state X[3, d];
  begin X[i,c] = x[c];
  read x = X[0];
  write X[i,c] = X[i,c] + y[c];
  end x = X[1];
}
connection wider {
  state s[d];
  begin s = x;
  read x = s;
  write s[c < 12] = y[c % 8];
  end x = s;
}
connection early {
  state h[d], e[d];                // expected-error {{E0301}} {{nothing says how the state `e` begins}}
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c] + e[c], e = e;
  end x = h;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = shc : linear(d);
    b = frac(m = 2) : linear(d);   // expected-error {{E0302}} {{`frac` keeps `H` [2, 4], but this trunk's state is `H` [4, 8]}} {{set by `shc`}} {{`frac` declares it here}} {{give it one shape}}
  };
  let g = trunk(x) {
    a = residual : linear(d);
    b = deep : linear(d);          // expected-error {{E0302}} {{`deep` keeps `h` [2, 8], but this trunk's state is `h` [8]}} {{begin the trunk with `deep`}}
  };
  let k = trunk(x) {
    a = all : linear(d);
    b = fixed : linear(d);         // expected-error {{`fixed` keeps `X` [3, 8], but this trunk's state is `X` [2, 8], which grows}}
  };
  let w = trunk(x) {
    a = residual : linear(d);
    b = wider : linear(d);
    c = residual : linear(d);      // expected-error {{`residual` keeps `h` [12], but this trunk's state is `h` [8]}} {{`w.b` made the trunk 12 wide, and does not keep `h`}}
  };
  let v = trunk(x) {
    a = wider : linear(d);
    b = residual : linear(d);      // expected-error@* {{E0214}} {{`h` is [12], this is [8]}} {{it begins at this site, and `v.a` made the trunk another width than it was given}}
  };
  let e = trunk(x) { a = residual : linear(d); b = early : linear(d); };
  loss mse(h, y) + mse(g, y) + mse(k, y);
}
