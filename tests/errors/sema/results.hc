use std;
branch two : x[d] -> y[d], gate {
  let y[c] = 2 * x[c];
  let gate = sum[c] x[c];
}
branch one(out) : x[d] -> y[out] {
  param w[out] = 1;
  let y[k] = w[k] * sum[c] x[c];
}
connection gated {
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + gate * y[c];   // expected-error {{E0201}} {{unknown name `gate`}} {{those of this site only `y`}}
  end   x = h;
}
connection beside {
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + sum[b] ys[b,c];
  end   x = h;
}
connection unused {                  // some branch gives a `gate`, none a `gait`
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + gate * y[c] + gait * y[c]; // expected-error {{unknown name `gait`}}
  end   x = h;
}
connection shadowing {
  state h[d];
  begin h = x;
  let y[c] = h[c];                   // expected-error {{E0202}} {{`y` is the branch's result}}
  read  x = h;
  write h[c] = h[c] + y[c];
  end   x = h;
}
connection too_few {
  state h[d];
  begin h = x;
  read  xs[b < 2, c] = h[c];         // expected-error {{E0304}} {{`xs` has an entry for each branch, of which this site has 3; this is [2, 8]}}
  write h[c] = h[c] + y[c];
  end   x = h;
}
model m {
  const d = 8;
  const many = branches;             // expected-error {{`branches` is known only inside a connection}}
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = gated : two; b = gated : one(d); };
  let g = trunk(x) { a = beside : one(d) & one(2 * d); }; // expected-error {{E0214}} {{this branch gives [16], the first one [8]}}
  let k = trunk(x) { a = too_few : linear(d) & linear(d) & linear(d); };
  loss mse(h, y) + mse(g, y) + mse(k, y);
}
