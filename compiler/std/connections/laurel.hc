/// Learned augmented residual layers: weights on both terms of the residual, and a low-rank map.
/// h becomes a y + b (h + B A h), (a, b) = 2 softmax(w)
/// Source:   Menghani et al. 2025, arXiv:2411.07501: RW is lr = false, LR is rw = false, RW+LR both.
/// Begins:   w = 0, so a = b = 1; B = 0: the pre-norm residual. A has orthogonal rows: feature c is
///           in row c % rank, 1 / sqrt(rank d). Decay on A and B.
/// Cost:     2 (RW) and 2 rank d (LR) parameters a site, and as many multiply-adds.
/// Differs:  the paper asks for weights that stay bounded and leaves the function open.
/// Use:      a little more than a residual for next to nothing. Earlier states too: `laurel_pa`.
connection laurel(rank = 16, rw = true, lr = true, norm = rmsnorm) {
  state h[d];
  if lr {
    let rows[k < rank, c < d] = select(c % rank == k, 1 / sqrt(rank * d), 0);
    param A[rank, d] = rows;
    param B[d, rank] = 0;
  }
  if rw {
    param w[2] = 0  nodecay;
    let s[k] = softmax[k] w[k];
  } else {
    let s[k < 2] = 0.5;
  }

  begin h    = x;
  read  x    = norm(h);
  if lr {
    let t[k] = sum[c] A[k,c] * h[c];
    let g[c] = h[c] + sum[k] B[c,k] * t[k];
  } else {
    let g    = h;
  }
  write h[c] = 2 * s[0] * y[c] + 2 * s[1] * g[c];
  end   x    = norm(h);
}

/// LAuReL with previous activations: the low-rank map goes over the last `keep` states, weighted.
/// h_i+1 = y + h_i + B A sum_j c_j h_j, j the last `keep` up to i
/// Source:   Menghani et al. 2025, arXiv:2411.07501, the PA form.
/// Begins:   B = 0: the pre-norm residual; c_j = 1 (not in the paper: with B = 0 it may not be 0 too,
///           or neither would learn); A as in `laurel`. Decay on A and B.
/// Cost:     2 rank d + keep parameters a site; the last `keep` states are kept.
/// Use:      as `laurel`, when states of a few sites ago say something.
connection laurel_pa(rank = 16, keep = 3, norm = rmsnorm) {
  state H[depth, d];
  const n = min(depth, keep), last = depth - 1;
  let rows[k < rank, c < d] = select(c % rank == k, 1 / sqrt(rank * d), 0);
  param A[rank, d] = rows;
  param B[d, rank] = 0;
  param w[n] = 1  nodecay;

  begin H[0,c] = x[c];
  read  x      = norm(H[last]);
  let s[c]     = sum[j] w[j] * H[depth - n + j, c];
  let t[k]     = sum[c] A[k,c] * s[c];
  append H[c]  = y[c] + H[last, c] + sum[k] B[c,k] * t[k];
  const all    = extent(H, 0);
  end   x      = norm(H[all - 1]);
}
