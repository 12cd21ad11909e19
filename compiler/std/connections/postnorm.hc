/// The original residual: the norm comes after the sum, and there is none at the end.
/// x = h;  h becomes norm(h + y)
/// Source:   Vaswani et al. 2017, arXiv:1706.03762. As hyper-connections: Zhu et al. 2024,
///           arXiv:2409.19606, section 3.1, whose matrix [[0, s], [1, s]] is matrix = true: h becomes
///           s h + s y with s = 1 / sqrt(var h + var y + 2 cov(h, y)) at each position.
/// Begins:   no parameters of its own.
/// Cost:     that of its norm.
/// Differs:  the matrix is a layer norm only as far as h and y have mean 0: it subtracts none.
/// Use:      small networks; deep ones need a slow start. To compare with.
connection postnorm(norm = rmsnorm, matrix = false) {
  state h[d];
  begin h = x;
  read  x = h;
  let s[c] = h[c] + y[c];
  if matrix {
    let p[c] = h[c] - mean[a] h[a];
    let q[c] = y[c] - mean[a] y[a];
    let v    = mean[c] (p[c]^2 + q[c]^2 + 2 * p[c] * q[c]);
    write h[c] = rsqrt(v + 1e-5) * h[c] + rsqrt(v + 1e-5) * y[c];
  } else {
    write h = norm(s);
  }
  end   x = h;
}
