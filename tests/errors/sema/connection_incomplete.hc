connection one {             // expected-error {{E0301}} {{the connection `one` has no `end`}} {{end x = norm(h);}}
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + y[c];
}
connection two {             // expected-error {{the connection `two` has no `state`}}
  begin h = x;
  read  x = h;
  end   x = h;
}
