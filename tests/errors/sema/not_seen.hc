// What is known elsewhere: told where, and what to do.
connection early(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let u[c]   = h[c] + 0.1 * y[c];       // expected-error {{E0218}} {{`y` is what the branch gives, and is known behind the last `read` only}} {{use it in a `write`}}
  read  x    = norm(u);
  write h[c] = h[c] + y[c];
  end   x    = norm(h);
}
connection first(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x    = norm(h);
  write h[c] = h[c] + y[c] + x[c];      // expected-error {{E0218}} {{`x` is what the trunk is given, and is known in `begin` only}} {{begin a state of its own}}
  end   x    = norm(h);
}
connection scaled(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x    = norm(h);
  write h[c] = h[c] + y[c] / depth;     // expected-error {{E0201}} {{`depth` is a constant of the model, which a definition does not see}} {{`connection scaled(depth = ...)`}}
  let r[c]   = h[c] * G[c];             // expected-error {{E0201}} {{`G` is a value of the model}} {{an input, `connection c : z[e]`}}
  end   x    = norm(h);
}
connection misspelt(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x    = norm(h);
  write h[c] = h[c] + openness * y[c];  // expected-error {{unknown name `openness`}}
  end   x    = norm(h);
}
branch seeing : x[d] -> y[d] {
  let y[c] = x[c] * t;                  // expected-error {{`t` is a position of the model}} {{`here` is the position}}
}
fn twice(x) = 2 * depth * x;            // expected-error {{`depth` is a constant of the model}} {{give `twice` an argument for it}}
model m {
  const d = 8, depth = 3;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  param G[d] = 1;
  let a = trunk(x) { a = early : linear(d); };
  let b = trunk(x) { a = first : linear(d); };
  let e = trunk(x) { a = scaled : linear(d); };
  let f = trunk(x) { a = misspelt : linear(d); b = residual : seeing; };
  let g[c] = twice(a[c]) + b[c] + e[c] + f[c];
  loss mse(g, y);
}
