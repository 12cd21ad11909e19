/// Pre-norm residual: each branch adds to one stream what it makes of the stream's norm.
connection residual(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  write h[c] = h[c] + y[c];
  end   x = norm(h);
}
