/// Two convolutions around a function, on a grid of positions: each sees the k by k around it, zeros
/// past the edge. With a connection around it a residual block. He et al. 2016, arXiv:1603.05027.
branch conv(hidden, k = 3, act = relu) : x[d] -> y[d] {
  param W1[hidden, k, k, d] ~ normal(sqrt(2 / (k * k * d)));
  param W2[d, k, k, hidden] ~ normal(sqrt(1 / (k * k * hidden * blocks)));
  let w    = window(x, k, k);
  let u[h] = act(sum[i,j,c] W1[h,i,j,c] * w[i,j,c]);
  let z    = window(u, k, k);
  let y[c] = sum[i,j,h] W2[c,i,j,h] * z[i,j,h];
}
