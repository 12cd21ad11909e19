connection one {
  state h[d], g[d];        // expected-error {{E0301}} {{nothing says how the state `g` begins}}
  begin h = x;
  read  x = h;
  write h[c] = h[c] + y[c];
  write g[c] = g[c] + y[c];
  end   x = h;
}
