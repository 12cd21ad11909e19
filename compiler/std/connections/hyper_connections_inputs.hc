/// Dynamic hyper-connections for a branch with a second input, which comes in streams of its own.
/// x = norm(sum_i am_i H_i) and z = sum_i az_i Z_i;  H_k becomes sum_j ar_kj H_j + b_k y, the maps as
/// in `dhc`, and az_i = sz act(Wz inner(Z_i)) + Az_i
/// Source:   package hyper-connections 0.4.11, hyper_connections_with_multi_input_streams.
/// Begins:   as `dhc`; Az reads stream `start % n`, Wz is 0, sz 0.01. Decay on the W only.
/// Cost:     that of `dhc`, and n + e + 1 parameters for Z of width e.
/// Options:  those of `dhc`; `dropout` drops entries of the streams after each write.
/// Differs:  one more input; for several, a line of each kind is repeated. The branch calls it `z`.
/// Use:      cross-attention: `attn = hyper_connections_inputs(Z) : cross(heads);`
connection hyper_connections_inputs(n = 4, norm = rmsnorm, inner = l2norm, act = tanh, start = site,
                                    dropout = 0, expand = replicate, reduce = sum_streams) : z[n, e] {
  state H[n, d];
  param Am[n], Az[n] = onehot(start % n)  nodecay;
  param Ar[n, n]     = identity           nodecay;   // destination, source
  param B[n]         = 1                  nodecay;
  param Wm[d], Wr[n, d], Wb[d], Wz[e] = 0;
  param sa, sb, sz   = 0.01               nodecay;

  begin H        = expand(x, n);
  let own = inner, other = inner;                    // widths differ
  let N[i,c]     = own(H[i])[c];
  let am[i]      = sa * act(sum[c] Wm[c] * N[i,c]) + Am[i];
  let ar[k,j]    = sa * act(sum[c] Wr[k,c] * N[j,c]) + Ar[k,j];
  let b[k]       = sb * act(sum[c] Wb[c] * N[k,c]) + B[k];
  let Z[i,a]     = other(z[i])[a];
  let az[i]      = sz * act(sum[a] Wz[a] * Z[i,a]) + Az[i];

  let u[c]       = sum[i] am[i] * H[i,c];
  let w[a]       = sum[i] az[i] * z[i,a];
  read  x        = norm(u), z = w;
  let K[k,c]     = sum[j] ar[k,j] * H[j,c] + b[k] * y[c];
  write H        = dropout(K, dropout);
  let s          = reduce(H);
  end   x        = norm(s);
}
