/// x itself, where an option takes a function or a norm: `norm = none`, `act = none`.
fn none(x) = x;

/// The sum: what `join` does with a branch's result and the mixed streams.
/// `join = add(dropout = 0.1)` drops entries of the streams while training.
fn add(y, h, dropout = 0) = dropout(y + h, dropout);

/// Streams that begin as n copies of x.
fn replicate(x[d], n) -> H[n, d] {
  let H[i < n, c] = x[c];
}

/// Streams that begin as copies of x, each with a learned vector of its own added, at first zero.
module embed_streams(n) : x[d] -> H[n, d] {
  param E[n, d] = 0;
  let H[i,c] = x[c] + E[i,c];
}

/// Streams that begin as copies of x, each with learned scales of its own (learned stream scaling).
/// arXiv:2606.03483. They begin at 0.6 plus Xavier's uniform distribution.
module scale_streams(n) : x[d] -> H[n, d] {
  const bound = sqrt(6 / (n + d));
  param l[n, d] ~ uniform(0.6 - bound, 0.6 + bound);
  let H[i,c] = l[i,c] * x[c];
}

/// The sum of the streams.
fn sum_streams(H[n, d]) -> x[d] {
  let x[c] = sum[i] H[i,c];
}

/// The mean of the streams.
fn mean_streams(H[n, d]) -> x[d] {
  let x[c] = mean[i] H[i,c];
}

/// Attention over the streams, in each feature by itself: softmax over i of (W H_i)_c.
module pool_streams : H[n, d] -> x[d] {
  param W[d, d] = identity;
  let l[i,c] = sum[a] W[c,a] * H[i,a];
  let p[i,c] = softmax[i] l[i,c];
  let x[c]   = sum[i] p[i,c] * H[i,c];
}

/// DeepSeek-V4's learned read-out: the streams weighted by sigmoids of what all of them hold.
module head_streams : H[n, d] -> x[d] {
  param P[n, n, d] ~ normal(0.02);
  param b[n] = 0, a = 0.01  nodecay;
  let r    = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let g[i] = sigmoid(a * r * (sum[j,c] P[i,j,c] * H[j,c]) + b[i]) + 1e-6;
  let x[c] = sum[i] g[i] * H[i,c];
}
