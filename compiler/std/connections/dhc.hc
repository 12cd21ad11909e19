/// Dynamic hyper-connections. Zhu et al. 2024, arXiv:2409.19606, section 2.2: what concerns source j
/// depends on stream j alone, and stream k's write weight on stream k.
connection dhc(n = 4, norm = rmsnorm) {
  state H[n, d];
  param Am[n]    = onehot(site % n)  nodecay;
  param Ar[n, n] = identity          nodecay;   // destination, source
  param B[n]     = 1                 nodecay;
  param Wm[d], Wr[n, d], Wb[d] = 0;             // Wr: destination, feature
  param sa, sb   = 0.01              nodecay;

  begin H[i,c]   = x[c];
  let N[i,c]     = norm(H[i])[c];               // each stream by itself
  let am[i]      = sa * tanh(sum[c] Wm[c] * N[i,c]) + Am[i];
  let ar[k,j]    = sa * tanh(sum[c] Wr[k,c] * N[j,c]) + Ar[k,j];
  let b[k]       = sb * tanh(sum[c] Wb[c] * N[k,c]) + B[k];

  let u[c]       = sum[i] am[i] * H[i,c];
  read  x        = norm(u);
  write H[k,c]   = sum[j] ar[k,j] * H[j,c] + b[k] * y[c];
  let s[c]       = sum[i] H[i,c];
  end   x        = norm(s);
}
