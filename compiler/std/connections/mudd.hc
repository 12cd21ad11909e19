/// MUDD: before a block, weighted sums of what all blocks gave so far; the weights follow the token.
/// One sum each for queries, keys and values, and one that the block adds to.
/// X_0 = x;  Z_w = sum_j (W2_wj gelu(W1 rms(X_i)) + a_wj) X_j, j <= i;  X_i+1 = block_i(Z)
/// Source:   Xiao et al. 2025, arXiv:2502.12170 (multiway dynamic dense connections).
/// Begins:   W2 = 0, a_wi = 1 and the others 0: the pre-norm residual; W1 normal(1 / sqrt(d)). Decay
///           on W1 and W2.
/// Cost:     n = i + 2 sums after block i (from 0): 4 n (d + 4 n) + 4 n parameters and 4 n d
///           multiply-adds for the sums, n (4 d + 4 n + 1) at the end; every X_i is kept.
/// Options:  `round` makes W1's rows its next multiple, 64 in the released code. `prepost = true` is
///           PrePostDANorm: sums are of norms of the X_j (with gains), made beside X_i by weights of its
///           norm (with gains), and what is added to has a norm first, whose gain begins as 0.001; all
///           a_wj begin as 0. Plain `mudd` was seen to diverge in 24 layers, with it not.
/// Differs:  norms have no gains; attention and MLP keep one width over depth. A block is `block_sites`
///           sites; where its first branch takes no k and v there are two sums, one read, one added to.
/// Use:      of this family the lowest losses in published small runs, and the most expensive.
connection mudd(block_sites = 2, round = 1, prepost = false, norm = rmsnorm) {
  state h[d], X[depth, d];
  const opens = site % block_sites == 0, ways = select(takes(k) && takes(v), 4, 2);
  const held = select(prepost, rmsnorm_affine, none);
  let first = held, each = held;

  begin h = x;
  begin X[0,c] = first(x)[c];
  if opens && depth > 1 {
    let Z = dense_sums(X, h, ways, round, prepost);
  } else {
    let Z[w < ways, c] = h[c];
  }
  if opens && ways == 4 {
    let to_q = norm, to_k = norm, to_v = norm;          // with gains of their own, if it has some
    read q = to_q(Z[0]), k = to_k(Z[1]), v = to_v(Z[2]);
  } else {
    read x = norm(Z[0]);
  }
  let r[c] = Z[ways - 1, c] + y[c];
  write h  = r;
  if (site + 1) % block_sites == 0 || site + 1 == sites {
    append X[c] = each(r)[c];
  }
  let last = dense_sums(X, h, 1, round, prepost);
  end   x  = norm(last[0]);
}

/// `ways` sums of the X_j, weighted by what the last output h says; with `prepost` beside h.
module dense_sums(ways, round = 1, prepost = false) : X[n, d], h[d] -> Z[ways, d] {
  const rows = select(round > 1, (floor(4 * n / round) + 1) * round, 4 * n);
  const heard = select(prepost, rmsnorm_affine, rmsnorm);
  let of_h = heard;
  let first[w < ways, j < n] = select(j == n - 1 && !prepost, 1, 0);
  param W1[rows, d] ~ normal(1 / sqrt(d));
  param W2[ways, n, rows] = 0;
  param a[ways, n] = first  nodecay;
  let u      = of_h(h);
  let g[k]   = gelu(sum[c] W1[k,c] * u[c]);
  let w[i,j] = sum[k] W2[i,j,k] * g[k] + a[i,j];
  let S[i,c] = sum[j] w[i,j] * X[j,c];
  if prepost {
    param gain[d] = 0.001  nodecay;
    let r      = rmsnorm(S[ways - 1]);
    let Z[i,c] = h[c] + select(i == ways - 1, gain[c] * r[c], S[i,c]);
  } else {
    let Z = S;
  }
}
