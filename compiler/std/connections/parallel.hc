/// Branches in groups of n side by side, as matrices of static hyper-connections.
/// The first site of a group reads the sum of the streams and copies it into each; site i of the
/// group reads stream i and writes to stream i alone, so that its branch sees none of the others'.
/// Source:   Zhu et al. 2024, arXiv:2409.19606, section 3.3: the sequential and the parallel
///           arrangement are hyper-connection matrices, and training finds a mixture of the two. The
///           sequential one is `shc(start = 0)`.
/// Begins:   Am = B = one-hot(i), Ar = 1, but Am = 1 and Ar all ones at i = 0. exact = true also
///           clears stream i before it is written: the sum becomes h + T_0(h) + ... + T_{n-1}(h).
///           Learned from there, unless `freeze` is added. No decay.
/// Cost:     that of `shc`.
/// Differs:  exact = false is the paper's, which keeps the copies: its sum is n h + T_0(h) + ...; its
///           general form counts from 1 in one place and from 0 in the other, here slot i is meant.
/// Use:      to start from a parallel block. `residual : f & g` is one that stays.
connection parallel(n = 2, exact = true, norm = rmsnorm, reduce = sum_streams) {
  const i = site % n;
  state H[n, d];
  let A0[k < n, j < n] = select(i == 0, 1, select(k == j && !(exact && k == i), 1, 0));
  param Am[n]    = onehot(i) + select(i == 0, 1, 0) * (1 - onehot(i))  nodecay;
  param Ar[n, n] = A0         nodecay;
  param B[n]     = onehot(i)  nodecay;

  begin H[k,c] = onehot(0)[k] * x[c];
  let u[c]     = sum[k] Am[k] * H[k,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] Ar[k,j] * H[j,c] + B[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
