use std;

/// A trunk of two sites, of which connection.c uses the connection alone: the branch is the
/// program's own, and this one stands in its place.
branch theirs : x[d] -> y[d] { let y[c] = x[c]; }

model streams {
  const d = 24, n = 4, wiring = mhc;
  positions t <= 128;
  input x[t, d] : real;
  let h = trunk(x) { repeat 2 { site = wiring : theirs; } };
  output h;
}
