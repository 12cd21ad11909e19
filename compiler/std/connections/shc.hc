/// Static hyper-connections. Zhu et al. 2024, arXiv:2409.19606, Algorithm 2.
connection shc(n = 4, norm = rmsnorm) {
  state H[n, d];
  param Am[n]    = onehot(site % n)  nodecay;   // depth connection: what the branch reads
  param Ar[n, n] = identity          nodecay;   // width connection: destination, source
  param B[n]     = 1                 nodecay;   // where the branch's output lands

  begin H[i,c] = x[c];
  let u[c]     = sum[i] Am[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] Ar[k,j] * H[j,c] + B[k] * y[c];
  let s[c]     = sum[i] H[i,c];
  end   x      = norm(s);
}
