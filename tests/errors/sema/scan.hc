branch others(n = 2) : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {
    h[c] = x[c] + shift(h[c], 1);      // expected-error {{E0215}} {{this asks for others, too}} {{what depends on no state}}
  }
  let y = h;
}
branch entry(n = 2) : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {
    h[c] = x[c] + shift(h, 1)[c];      // expected-error {{E0215}} {{this asks for others, too}}
  }
  let y = h;
}
branch recurs : x[d] -> y[d] {
  let h[c < d] = 0, m[c < d] = 0;
  scan {
    m[c] = recur(0.5, m[c]);            // expected-error {{this asks for others, too}}
    h[c] = x[c] + m[c];
  }
  let y = h;
}
branch begins : x[d] -> y[d] {
  let h = x;                          // expected-error {{`h` is what it was before the first position}} {{`let h... = 0`}}
  scan {
    h[c] = 0.5 * h[c] + x[c];
  }
  let y = h;
}
branch shapes : x[d] -> y[d] {
  param W[d, d + 1] ~ normal(1);
  let h[c < d] = 0;
  scan {
    h[c] = sum[k] W[c,k] * h[k];      // expected-error {{E0213}}
  }
  let y = h;
}
branch draws : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {
    h[c] = h[c] + x[c] * random();    // expected-error {{`random` cannot stand in `scan`}} {{draw them before the loop}}
  }
  let y = h;
}
branch holds : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {
    param w[d] = 1;                   // expected-error {{E0106}}
    h[c] = w[c] * h[c] + x[c];
  }
  let y = h;
}
branch undeclared : x[d] -> y[d] {
  scan {
    h[c] = x[c];                      // expected-error {{there is no `h` to rebind}}
  }
  let y = x;
}
branch nowhere : x[d] -> y[d] {
  param w[d] = 1;
  let h[c < d] = 0;
  scan {                              // expected-error {{nothing that this carries has any}}
    h[c] = w[c] * h[c] + 1;
  }
  let y[c] = h[c] + x[c];
}
model m {
  const d = 4;
  positions t <= 5;
  input x[t, d] : real;
  let h = trunk(x) {
    a = residual : others;
    b = residual : entry;
    l = residual : recurs;
    c = residual : begins;
    e = residual : shapes;
    f = residual : draws;
    g = residual : holds;
    i = residual : undeclared;
    k = residual : nowhere;
  };
  loss mean[c] h[c]^2;
}
