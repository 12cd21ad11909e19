/// Dynamic hyper-connections around several branches at once, each with its own read and write weights.
/// x_v = norm(sum_i am_vi H_i) for branch v;  H_k becomes sum_j ar_kj H_j + sum_v b_vk y_v, the maps
/// following the streams as in `dhc`
/// Source:   package hyper-connections 0.4.11, hyper_connections_with_multi_branch_inputs.
/// Begins:   Ar = 1, B = 1; with V branches, branch v reads stream i where V (start % (n V)) + i + v
///           is a multiple of n. The W are 0, sa = sb = 0.01. Decay on the W only.
/// Cost:     n (2 V + n) + d (2 V + n) + 2 parameters.
/// Options:  those of `dhc`; `dropout` drops entries of the streams after each write.
/// Use:      `both = hyper_connections_branches : attention(heads) & mlp(4 * d);`
connection hyper_connections_branches(n = 4, norm = rmsnorm, inner = l2norm, act = tanh, start = site,
                                      dropout = 0, expand = replicate, reduce = sum_streams) {
  const V = branches, turn = start % (n * V) * V;
  state H[n, d];
  let A0[v < V, i < n] = select((turn + v + i) % n == 0, 1, 0);
  param Am[V, n] = A0        nodecay;
  param Ar[n, n] = identity  nodecay;              // destination, source
  param B[V, n]  = 1         nodecay;
  param Wm[V, d], Wr[n, d], Wb[V, d] = 0;
  param sa, sb   = 0.01      nodecay;

  begin H         = expand(x, n);
  let N[i,c]      = inner(H[i])[c];
  let am[v,i]     = sa * act(sum[c] Wm[v,c] * N[i,c]) + Am[v,i];
  let ar[k,j]     = sa * act(sum[c] Wr[k,c] * N[j,c]) + Ar[k,j];
  let b[v,k]      = sb * act(sum[c] Wb[v,c] * N[k,c]) + B[v,k];

  let u[v,c]      = sum[i] am[v,i] * H[i,c];
  read  xs[v,c]   = norm(u[v])[c];
  let K[k,c]      = sum[j] ar[k,j] * H[j,c] + sum[v] b[v,k] * ys[v,c];
  write H         = dropout(K, dropout);
  let s           = reduce(H);
  end   x         = norm(s);
}
