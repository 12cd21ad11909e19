model m {
  positions (r <= 4, c <= 4);
  input  x[8]        : real;
  input  grid[r, c]  : real;
  input  patch[2, 2] : real;
  input  word[r, c]  : token(9);
  target class       : token(10);
  param W[10, 8] ~ normal(1);
  let g = mean[r, c] grid * word;
  let logits[v] = g * (sum[c] W[v,c] * x[c]) + patch[0,0];
  loss cross_entropy(logits, class);
}
train m {
  data tabel {                          // expected-error {{E0404}} {{data come from `text`, `tokens`, `idx`, `cifar10` or `table`, not `tabel`}} {{did you mean `table`?}}
  }
}
