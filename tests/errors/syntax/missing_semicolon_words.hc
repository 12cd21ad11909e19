// `read`, `write` and the like are names inside expressions, but here no expression goes on.
connection c(norm = rmsnorm) {
  state h[d];
  begin h = x         // expected-error {{found `read`}}
  read  x = norm(h)   // expected-error {{found `write`}}
  write h[c] = h[c] + y[c]   // expected-error {{found `end`}}
  end   x = norm(h)   // expected-error {{found `}`}}
}
