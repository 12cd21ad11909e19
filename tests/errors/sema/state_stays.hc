// A state that stays as it began, and weights that are meant to share out: both can be said.
connection kept(norm = rmsnorm) {
  state h[d], first[d], other[d];   // expected-warning {{E0303}} {{the state `other` is never written}} {{say so with `write other = other`}}
  begin h = x, first = x, other = x;
  read  x = norm(h);
  write h[c] = h[c] + y[c] + 0.1 * first[c] + other[c];
  write first = first;
  end   x = norm(h);
}
connection shares(n = 4) {
  state H[n, d];
  param R[n, n] ~ normal(0.1);
  begin H[i,c] = x[c];
  let M[k,j]   = softmax[k] R[k,j];
  let A[k,c]   = sum[j] M[k,j] * H[j,c];           // allow E0308: a source is shared out
  // allow E0230, E0308
  let B[k,c]   = 2 * sum[j] M[k,j] * (H[j,c]);
  let M2[k,j]  = softmax[k] 2 * R[k,j];
  let E[k,c]   = sum[j] M2[k,j] * H[j,c];          // expected-warning {{E0308}} {{where this is meant}}  allow E0303 E03081
  read  x[c]   = A[0,c] + B[1,c] + E[2,c];
  write H[k,c] = H[k,c] + y[c];
  let s[c]     = sum[i] H[i,c];
  end   x      = s;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = kept : linear(d); };
  let g = trunk(h) { a = shares : linear(d); };
  loss mse(g, y);
}
