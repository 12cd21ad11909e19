// Loops that are written out are refused before they are: by what a turn makes, times the turns.
fn deep(x[n]) -> y[n] {
  let y[i] = x[i];
  for a < 3 { for b < 3 { y[i] = tanh(y[i]); } }
}

module one : x[n] -> y[n] {
  param g[n] = 1;
  let y[i] = g[i] * x[i];
}

model m {
  const many = 100000, n = 4;
  input x[n] : real;
  param W[n] ~ normal(1);
  let s[i] = x[i] * W[i], r[i] = s[i], u[i] = s[i], v[i] = s[i], w = 0, q = 0;
  for a < many { for b < many { s[i] = tanh(s[i]); } } // expected-error {{E0502}} {{100000 turns of 400001 values each are too many}} {{`for` writes its body once for each turn}}
  for a < many { r = deep(deep(r)); }                  // expected-error {{E0502}} {{100000 turns of}}
  for a < 1000 { for b < 1000 { for c < 1000 { w = w + a; } } } // expected-error {{E0502}} {{1000 turns of 1001001 values each}}
  for a < 3000 { for b < 100 { u = one(u); } }         // expected-error {{E0502}} {{instances of definitions each}}
  for a < many { if a < 2 { for b < 1000 { v[i] = tanh(v[i]); } } } // the others do less
  for a < 1000 { for b < 1000 - a * 100 { q = q + 1; } } // expected-error {{the number of turns is -100}}
  loss sum[i] s[i] * r[i] * u[i] * v[i] + w + q;
}
