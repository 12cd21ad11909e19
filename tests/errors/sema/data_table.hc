model m {
  const half = 0.5, file = "a.csv";
  positions (r <= 4, c <= 4);
  input  x[8]        : real;
  input  grid[r, c]  : real;
  input  patch[2, 2] : real;
  input  word[r, c]  : token(9);
  input  other[2]    : real;
  input  last[3]     : real;
  input  more[3]     : real;
  input  again[3]    : real;
  target class       : token(10);
  param W[10, 8] ~ normal(1);
  let g = mean[r, c] grid * word;
  let logits[v] = g * (sum[c] W[v,c] * x[c]) + patch[0,0] + other[0] + last[0] + more[0] + again[0];
  loss cross_entropy(logits, class);
}
train m {
  data table {
    x[k]        = colums[k];            // expected-error {{E0404}} {{`table` data have no `colums`}} {{there are: columns}}
    grid[r]     = columns[r];           // expected-error {{`grid` has 2 indices here}}
    patch[i, j] = columns[i, j];        // expected-error {{`columns` have one subscript, not 2}} {{patch[k] = columns[k];}}
    word[r, c]  = standardise(columns[4 * r + c]);  // expected-error {{`word` takes tokens, which are not standardised}}
    other[2]    = columns[0];           // expected-error {{the left side names indices, as in `other[k]`}}
    last[k]     = columns[k] * columns[0];          // expected-error {{filled from one stream, times and plus numbers}}
    more[k]     = columns[k * half];    // expected-error {{whole multiples of indices}}
    again[k]    = columns[j + k];       // expected-error {{E0201}} {{`j`}}
    again[k]    = columns[k] / 0;       // expected-error {{division by zero}}
    class       = 3;                    // expected-error {{`class` is filled from a stream of the data}}
    unknown     = columns[3];           // expected-error {{no input or target `unknown`}}
    train       = files(file, 7);       // expected-error {{a file's name is a text, not the number 7}}
    held_out    = shuffled(1.5);        // expected-error {{`held_out` is a fraction}}
    header      = 1;                    // expected-error {{E0206}}
    separator   = ", ";                 // expected-error {{`separator` is one character}}
    skip        = 0.5;                  // expected-error {{E0207}}
    skip        = 1;                    // expected-error {{E0202}} {{`skip` is set twice}}
  }
}
