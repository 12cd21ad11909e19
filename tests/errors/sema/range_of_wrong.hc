/// What went wrong before tells no ranges, and nothing is said of them.
connection turning {
  state h[d];
  begin h = x;
  let z = h;
  iterate 3 { z[c] = 0.5 * h[c] + 0.5 * branch(z)[c]; }
  write h = z;
  end x = h;
}
branch probed : x[d] -> y[d] {
  probe x;  // expected-error {{E0218}} {{a probe cannot stand in `iterate`}}
  let y = x;
}
model m {
  const d = 4;
  positions t <= 3;
  input u[t, d] : real;
  let h = trunk(u) { a = turning : probed; };
  loss (mean[i] h[i] * cos(i)) + (mean[i] u[i]);
}
