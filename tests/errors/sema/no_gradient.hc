// Parameters that never learn, states that nothing reads.
use std;
branch b : x[d] -> y[d] {
  param w = 1;
  param f = 1;               // expected-warning {{E0231}} {{the parameter `f` never gets a gradient: the loss depends on it only by way of what has no derivative}} {{this has none}} {{freeze}}
  param g = 1;               // expected-warning {{the parameter `g` never gets a gradient}}
  param h = 1;               // expected-warning {{the parameter `h` never gets a gradient}}
  param k = 1;
  param l[4] = 1;            // expected-warning {{the parameter `l` never gets a gradient}}
  param fixed = 1 freeze;
  let a[c] = floor(f * x[c]);
  let e[c] = select(g * x[c] > 0, x[c], k * x[c]);
  let o    = argmax[i] l[i];
  let v    = 1;
  iterate 3 {
    v = v + floor(h * v);
  }
  let y[c] = w * x[c] + a[c] + e[c] + stop_gradient(k) * x[c] + floor(fixed) + onehot(o)[c] + v;
}
connection counting {
  state h[d];
  state seen[d];             // expected-warning {{E0230}} {{the state `seen` is written but never read}} {{only its own `write` uses it}}
  carry sites = 0;           // expected-warning {{the state `sites` is written but never read}}
  begin h = x;
  begin seen[c] = 0;
  read  x = h;
  write h[c]    = h[c] + y[c];
  write seen[c] = seen[c] + y[c];
  write sites   = sites + 1;
  end   x = h;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { repeat 2 { a = counting : b; } };
  loss mse(h, y);
}
