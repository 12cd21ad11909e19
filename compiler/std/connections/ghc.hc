/// Generalised hyper-connections (virtual width): n slots of width d / m, of which a branch takes m.
/// x = norm(the m slots u_k = sum_j Y_kj H_j, joined);  H_k becomes sum_j A_kj H_j + sum_i B_ki y_i,
/// y_i the i-th part of y. When dynamic, with N_j = inner(H_j) and t = sqrt(d / m),
/// Y_kj += SY_kj tanh(WY_k N_j / t), A_kj += SA_kj tanh(WA_k N_j / t), B_ki += SB_ki tanh(WB_i N_k / t)
/// Source:   Seed 2025, arXiv:2511.11238 (Virtual Width Networks); dynamic = false is its GHC.
/// Begins:   slots 0 to m - 1 are read and A = 1: the first m slots are a pre-norm residual; output i
///           is written to the slots i, i + m, ... The W are 0, the S are 1. Decay on the W and the
///           two maps at the ends only.
/// Cost:     n (2m + n) parameters, twice as many and (d / m)(2m + n) when dynamic; the ends hold
///           2 n d^2 / m, once. (n^2 + 2 n m) d / m multiplications a position, twice that dynamic.
/// Differs:  the matrices have the destination first. The paper looks up an embedding n d / m wide;
///           `widen` maps the trunk's x to it.
/// Use:      more state without wider layers: n / m = 1.5 to 8. One slot read (m = 1) is `dhc`.
connection ghc(m = 2, n = 3, norm = rmsnorm, inner = norm, dynamic = true, expand = widen,
               reduce = narrow) {
  const e = d / m, t = sqrt(e);
  state H[n, e];
  let wrapped[k < n, i < m] = select(k % m == i, 1, 0);
  param Y[m, n]     = identity  nodecay;        // destination, source
  param A[n, n]     = identity  nodecay;
  param B[n, m]     = wrapped   nodecay;

  begin H = expand(x, n, e);
  if dynamic {
    param WY[m, e], WA[n, e], WB[m, e] = 0;
    param SY[m, n], SA[n, n], SB[n, m] = 1  nodecay;
    let N[j,a]  = inner(H[j])[a];
    let ym[k,j] = SY[k,j] * tanh((sum[a] WY[k,a] * N[j,a]) / t) + Y[k,j];
    let am[k,j] = SA[k,j] * tanh((sum[a] WA[k,a] * N[j,a]) / t) + A[k,j];
    let bm[k,i] = SB[k,i] * tanh((sum[a] WB[i,a] * N[k,a]) / t) + B[k,i];
  } else {
    let ym = Y, am = A, bm = B;
  }
  let u[k*e + a] = sum[j] ym[k,j] * H[j,a];
  read  x        = norm(u);
  write H[k,a]   = sum[j] am[k,j] * H[j,a] + sum[i] bm[k,i] * y[i*e + a];
  let s          = reduce(H, d);
  end   x        = norm(s);
}

/// x as n slots of width e, by a linear map.
module widen(n, e) : x[d] -> H[n, e] {
  param W[n, e, d] ~ normal(0.02);
  let H[j,a] = sum[c] W[j,a,c] * x[c];
}

/// Slots as a vector of width d: groups of d features divided by their root mean square, then a
/// linear map. Without the division when the slots do not fill whole groups.
module narrow(d) : H[n, e] -> x[d] {
  param W[d, n, e] ~ normal(0.02);
  const m = d / e;
  if n % m == 0 {
    let G[g < n / m, i < m, a] = H[g*m + i, a];
    let r[g]           = rsqrt(mean[i,a] G[g,i,a]^2 + 1e-6);
    let Z[g*m + i, a]  = r[g] * G[g,i,a];
  } else {
    let Z = H;
  }
  let x[c] = sum[j,a] W[c,j,a] * Z[j,a];
}
