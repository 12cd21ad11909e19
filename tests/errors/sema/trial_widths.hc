// What nobody uses is tried with made-up extents; where the text fixes one, that one is taken.
connection narrow {
  state h[64];
  begin h[c] = x[c];
  read  x    = rmsnorm(h);
  write h[c] = h[c] + y[c];
  end   x    = h;
}

connection narrow_whole {
  state h[65];
  begin h = x;
  read  x = h;
  write h = h + y;
  end   x = h;
}

connection narrow_streams {
  state H[4, 31];
  begin H[i, c] = x[c];
  read  x[c]    = sum[i] H[i, c] / 4;
  write H[i, c] = H[i, c] + y[c];
  end   x[c]    = H[0, c];
}

connection narrow_end {
  state h[33];
  begin h[c] = 0;
  read  x    = h;
  write h[c] = h[c] + y[c];
  end   x    = h;
}

const width = 128;
branch fixed : x[width] -> y[width] { let y[i] = 2 * x[i]; }
branch through : x[d] -> y[d] { let y = fixed(x); }
module two : x[n, m], v[k] -> y[n] { let A[i < 3, j < 5] = 1; let y[i] = (sum[j] A[i, j] * x[i, j]) + v[i]; }
fn whole(x[n]) -> y[n] { let W[i < 7] = 1; let y = x + W; }
fn table(x[n]) -> y[n] { let y[i] = x[i]; for k < 2 { y[i] = x[i] * (i + 1); } }

// No extents would do.
connection torn {
  state h[64], g[32];
  begin h[c] = x[c];
  begin g[c] = x[c];   // expected-error {{E0213}} {{`c` ranges over 32, but this axis of `x` has 64}}
  read  x    = h;
  write h[c] = h[c] + y[c];
  write g[c] = g[c];
  end   x    = h;
}
fn both(x[n]) -> y { let a[i < 5] = x[i] + nothing, b[i < 6] = 1; let y = (sum[i] b[i] * x[i]) + a[0]; } // expected-error {{unknown name `nothing`}}
const large = 1e20; // expected-error {{E0502}} {{`large` is 1e+20}}
fn uses(x[n]) -> y { let a[i < large] = 1; let y = x[0] + sum[i] a[i]; }
fn uses_too(x[n]) -> y { let a[i < large] = 1; let y = x[0] + sum[i] a[i]; }
