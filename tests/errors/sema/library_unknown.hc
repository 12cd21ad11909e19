// A library that there is not: said once, and nothing of what it would have defined.
use mine;                  // expected-error {{E0201}} {{there is no library `mine`}} {{use "mine.hc";}}
model m {
  const d = 8;
  positions t <= 4;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = mine : linear(d); b = mine(n = 4) : theirs; };
  let g = helper(h);
  let k = helper(g) + other(g);
  loss mse(k, y);
}
