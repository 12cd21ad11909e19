/// Frac-connections: one state of width d cut into m fractions, which take the streams' part.
/// x = norm(the fractions u_k = sum_j Y_kj H_j, joined);  H_k becomes sum_j A_kj H_j + B_k y_k, where
/// y_k is the k-th fraction of y; Y, A and B follow the fractions as in `dhc`, N_j = inner(H_j).
/// Source:   Zhu et al. 2025, arXiv:2503.14125; dynamic = false is its static form.
/// Begins:   Y = A = 1, B = 1, W = 0, scales 0.01: exactly the pre-norm residual. Decay on the W only.
/// Cost:     m (2m + 1) parameters, and (d / m)(2m + 1) + 2 when dynamic; no memory beyond the
///           residual's; about (4m + 2) d multiplications a position.
/// Differs:  the matrices are transposed: the paper's have the source first. One fraction is `dhc`
///           with one stream.
/// Use:      where n times the activations are too many.
connection frac(m = 4, norm = rmsnorm, inner = norm, act = tanh, dynamic = true) {
  const e = d / m;
  state H[m, e];
  param Y[m, m], A[m, m] = identity  nodecay;   // read and carry: destination, source
  param B[m]     = 1                 nodecay;

  begin H[f,a]   = x[f*e + a];
  if dynamic {
    param Wy[m, e], Wa[m, e], Wb[e] = 0;        // destination, feature
    param sg, sb = 0.01              nodecay;
    let N[f,a]   = inner(H[f])[a];              // each fraction by itself
    let ym[k,j]  = sg * act(sum[a] Wy[k,a] * N[j,a]) + Y[k,j];
    let am[k,j]  = sg * act(sum[a] Wa[k,a] * N[j,a]) + A[k,j];
    let bm[k]    = sb * act(sum[a] Wb[a] * N[k,a]) + B[k];
  } else {
    let ym = Y, am = A, bm = B;
  }

  let u[k*e + a] = sum[j] ym[k,j] * H[j,a];
  read  x        = norm(u);
  write H[k,a]   = sum[j] am[k,j] * H[j,a] + bm[k] * y[k*e + a];
  let s[f*e + a] = H[f,a];
  end   x        = norm(s);
}
