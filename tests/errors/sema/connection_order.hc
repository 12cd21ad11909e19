connection one {
  state h[d];
  begin h = x;
  write h[c] = h[c] + y[c];  // expected-error {{E0201}} {{unknown name `y`}}
  read  x = h;
  end   x = h;
}
