/// The original residual: the norm comes after the sum, and there is none at the end.
connection postnorm(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = h;
  let s[c] = h[c] + y[c];
  write h = norm(s);
  end   x = h;
}
