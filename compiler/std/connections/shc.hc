/// Static hyper-connections: n streams, read, mixed and written with learned constants.
/// x = norm(sum_i Am_i H_i);  H_k becomes sum_j Ar_kj H_j + B_k y
/// Source:   Zhu et al. 2024, arXiv:2409.19606, Algorithm 2 (SHC). Its static_alpha holds Am and the
///           transpose of Ar: here maps have the destination first.
/// Begins:   Am reads stream `start % n` (by default the site's number), Ar = 1, B = 1: n equal
///           streams, each the pre-norm residual's. No decay on the three.
/// Cost:     n (n + 2) parameters; (n^2 + 2n) d multiplications a position.
/// Options:  `expand` replicate or embed_streams; `reduce` sum_streams (the paper's), mean_streams,
///           pool_streams or head_streams; any norm; `dropout` on the streams as written.
/// Differs:  the paper also scales the output maps' initial values by sqrt(n), and leaves open
///           whether up or down; here they are the branch's. The sum's norm divides by n again.
/// Use:      the cheapest of the family; n = 2 or 4. Nothing keeps the streams' size in bounds.
connection shc(n = 4, norm = rmsnorm, start = site, dropout = 0, expand = replicate,
               reduce = sum_streams) {
  state H[n, d];
  param Am[n]    = onehot(start % n)  nodecay;   // depth connection: what the branch reads
  param Ar[n, n] = identity           nodecay;   // width connection: destination, source
  param B[n]     = 1                  nodecay;   // where the branch's output lands

  begin H      = expand(x, n);
  let u[c]     = sum[i] Am[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = dropout(sum[j] Ar[k,j] * H[j,c] + B[k] * y[c], dropout);
  let s        = reduce(H);
  end   x      = norm(s);
}
