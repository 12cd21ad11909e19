// A grid is read row by row: what stands above, or to the left in the row, is earlier.
use std;
model m {
  const d = 8;
  positions (r <= 4, c <= 4) causal;
  input  x[r, c, d] : real;
  target y[r, c, d] : real;
  let above[k] = x[r - 1, c + 1, k];
  let left[k]  = x[r, c - 1, k];
  let right    = shift(x, 0, -1);   // expected-error {{E0314}} {{this takes a value from a later position}} {{position (0, 0) would see position (0, 1)}}
  let h[k] = above[k] + left[k] + right[k];
  loss mse(h, y);
}
model other {
  positions t <= 4 casual;          // expected-error {{E0220}} {{`casual` is not an attribute of positions}} {{did you mean `causal`?}}
  positions u <= 4 causal(1);       // expected-error {{`causal` takes no argument}}
  input  x[t] : real;
  target y[t] : real;
  let a = x * 2;
  loss (a - y)^2;
}
// arguments: --model m
