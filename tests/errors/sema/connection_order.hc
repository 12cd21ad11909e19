connection one {
  state h[d];
  begin h = x;
  write h[c] = h[c] + y[c];  // expected-error {{E0218}} {{`y` is what the branch gives, and is known behind the last `read` only}}
  read  x = h;
  end   x = h;
}
