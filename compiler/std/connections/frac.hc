/// Frac-connections, dynamic. Zhu et al. 2025, arXiv:2503.14125: one state of width d in m fractions.
connection frac(m = 4, norm = rmsnorm) {
  const e = d / m;
  state H[m, e];
  param Y[m, m], A[m, m] = identity  nodecay;   // read and carry: destination, source
  param B[m]     = 1                 nodecay;
  param Wy[m, e], Wa[m, e], Wb[e] = 0;          // destination, feature
  param sg, sb   = 0.01              nodecay;

  begin H[f,a]   = x[f*e + a];
  let N[f,a]     = norm(H[f])[a];               // each fraction by itself
  let ym[k,j]    = sg * tanh(sum[a] Wy[k,a] * N[j,a]) + Y[k,j];
  let am[k,j]    = sg * tanh(sum[a] Wa[k,a] * N[j,a]) + A[k,j];
  let bm[k]      = sb * tanh(sum[a] Wb[a] * N[k,a]) + B[k];

  let u[k*e + a] = sum[j] ym[k,j] * H[j,a];
  read  x        = norm(u);
  write H[k,a]   = sum[j] am[k,j] * H[j,a] + bm[k] * y[k*e + a];
  let s[f*e + a] = H[f,a];
  end   x        = norm(s);
}
