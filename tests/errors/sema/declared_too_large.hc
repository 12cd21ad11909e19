// A declared shape is held against 2^40 entries wherever it stands, used or not; made-up extents do not count.
fn corner(H[1e9, 1e9]) -> x { let x = H[0,0]; }                      // expected-error {{E0502}} {{[1000000000, 1000000000] would have more than 2^40}}
branch flat : H[2000000, 2000000] -> x[1] { let x[c < 1] = H[0,0]; } // expected-error {{E0502}}
module pool : H[1e9, n, d] -> x[d] { let x[c] = sum[i,j] H[i,j,c]; }
fn just(H[1048576, 1048576]) -> x { let x = H[0,0]; }
connection c {
  state H[1e9, 1e9, d]; // expected-error {{E0502}}
  begin H[i,j,c] = x[c];
  read x[c] = H[0,0,c];
  write H[i,j,c] = y[c];
  end x[c] = H[0,0,c];
}
connection given(K[4]) : W[1e9, 1e9, d] { // expected-error {{E0502}}
  state h[d];
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c] * W[0,0,c] * K[0];
  end x = h;
}
model m {
  const d = 4;
  positions t <= 4;
  input x[t, d] : real;
  let h = trunk(x) { a = c : linear(d); };
  loss sum[c] h[c];
}
