model m {
  positions t;                        // expected-error {{expected `<=`, found `;`}}
  positions (r <= 8, c);              // expected-error {{expected `<=`, found `)`}}
  positions (a <= 8, b <= 8;          // expected-error {{expected `)`, found `;`}}
  positions (r <= 8, c <= 8);
  input  x[r, c] : real;
  target z[r, c] : real;
  param w = 1;
  loss (w * x - z)^2;
}
