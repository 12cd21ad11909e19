/// Gated streams: each entry of each stream has a gate when it is read, each stream one when written.
/// N_i = rms(H_i) (1 + w);  G = sigmoid(Wu silu(Wd N / n)), n d gates of rank r;
/// x = sum_i G_i N_i / n;  H_k becomes H_k + 2 sigmoid(Ww N / n)_k y;  the end is one more read
/// Source:   Qwen3.8-Next, arXiv:2608.30320.
/// Begins:   copies of x; w = 0, Wd normal(0.02), Wu = Ww = 0: G = 1/2, and every stream gets y. Decay
///           on Wd, Wu, Ww only.
/// Cost:     2 n r d + n^2 d + d parameters, r = d / 8; as many multiplications and 3 n d more.
/// Options:  `rank` is r.
/// Differs:  the source gives no initial values.
/// Use:      wide models: gates of low rank cost less than `dhc`'s maps there.
connection gated_streams(n = 4, rank = 0) {
  state H[n, d];
  const r = select(rank > 0, rank, max(floor(d / 8), 1));
  begin H = replicate(x, n);
  let gate = gated_read(H, r);
  read  x = gate;
  param Ww[n, n, d] = 0;
  let z[i,c] = rmsnorm(H[i])[c];
  let s[k] = 2 * sigmoid((sum[i,c] Ww[k,i,c] * z[i,c]) / n);
  write H[k,c] = H[k,c] + s[k] * y[c];
  let last = gated_read(H, r);
  end   x = last;
}

/// What gates of rank r let through of the streams' norms, as a mean over the streams.
module gated_read(r) : H[n, d] -> x[d] {
  param w[d] = 0  nodecay;
  param Wd[r, n, d] ~ normal(0.02);
  param Wu[n, d, r] = 0;
  let N[i,c] = rmsnorm(H[i])[c] * (1 + w[c]);
  let v[k]   = silu((sum[i,c] Wd[k,i,c] * N[i,c]) / n);
  let G[i,c] = sigmoid(sum[k] Wu[i,c,k] * v[k]);
  let x[c]   = mean[i] G[i,c] * N[i,c];
}
