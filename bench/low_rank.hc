// Products with matrices of a short and a long side inside a connection: bench/low_rank.py.
model low_rank {
  const d = 768, rank = 16, blocks = 4, length = 4096, wiring = plain;
  positions t <= length;
  input f[t, d] : real;
  input g[t, d] : real;
  param s[d] = 1;
  let x[c] = s[c] * f[c];
  let h = trunk(x) { repeat blocks { a = wiring(rank) : scaled; } };
  loss sum[c] g[c] * h[c];
}

branch scaled : x[d] -> y[d] {
  param b[d] = 1;
  let y[c] = b[c] * x[c];
}

/// Nothing but what the others have, too.
connection plain(rank) {
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + y[c];
  end   x = h;
}

/// What is read goes through `rank` numbers; features come last.
connection features_last(rank) {
  state h[d];
  param W[rank, d], U[rank, d] ~ normal(0.02);
  begin h = x;
  let v[r] = sum[c] W[r,c] * h[c];
  read  x[c] = h[c] + sum[r] U[r,c] * v[r];
  write h[c] = h[c] + y[c];
  end   x = h;
}

/// The same; features come first.
connection features_first(rank) {
  state h[d];
  param W[d, rank], U[d, rank] ~ normal(0.02);
  begin h = x;
  let v[r] = sum[c] W[c,r] * h[c];
  read  x[c] = h[c] + sum[r] U[c,r] * v[r];
  write h[c] = h[c] + y[c];
  end   x = h;
}

train low_rank {
  data table { f[t, c] = columns[c]; g[t, c] = columns[c]; }
  batch 1; steps 1;
}
