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
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    a = shc : linear(d);
    b = frac(m = 2) : linear(d);   // expected-error {{E0302}} {{`frac` keeps `H` [2, 4], but this trunk's state is `H` [4, 8]}} {{set by `shc`}} {{share its state}}
  };
  let g = trunk(x) {
    a = residual : linear(d);
    b = shc : linear(d);           // expected-error {{E0302}} {{`shc` keeps `H` [4, 8], but this trunk's state is `h` [8]}} {{begin the trunk with `shc`}}
  };
  let k = trunk(x) {
    a = all : linear(d);
    b = residual : linear(d);      // expected-error {{`residual` keeps `h` [8], but this trunk's state is `X` [2, 8]}}
  };
  loss mse(h, y) + mse(g, y) + mse(k, y);
}
