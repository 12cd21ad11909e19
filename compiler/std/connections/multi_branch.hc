/// Dynamic hyper-connections around several branches: each reads and is written in its own way.
/// x_b = norm(sum_i am_bi H_i) for branch b;  H_k becomes sum_j ar_kj H_j + sum_b bm_kb y_b;
/// am_bi = sa act(Wm_b N_i) + Am_bi,  ar as in `dhc`,  bm_kb = sb act(Wb_b N_k) + B_kb
/// Source:   package hyper-connections 0.4.11, hyper_connections_with_multi_branch_inputs; after
///           Zhu et al. 2024, arXiv:2409.19606.
/// Begins:   branch b reads the streams i with (i + b + start times the number of branches) % n = 0;
///           Ar = 1, B = 1, W = 0, scales 0.01. Decay on the W only.
/// Cost:     with p branches n (2p + n) + d (2p + n) + 2 parameters, and the norm's.
/// Differs:  in the package one branch may take several inputs as a larger batch; here each branch
///           of the site, `a = multi_branch : f & g`, has one.
/// Use:      attention and MLP side by side without reading the same mixture.
connection multi_branch(n = 4, norm = rmsnorm, inner = l2norm, act = tanh, start = site, dropout = 0,
                        expand = replicate, reduce = sum_streams) {
  state H[n, d];
  let first[b < branches, i < n] = select((i + b + start % (n * branches) * branches) % n == 0, 1, 0);
  param Am[branches, n] = first     nodecay;
  param Ar[n, n]        = identity  nodecay;    // destination, source
  param B[n, branches]  = 1         nodecay;
  param Wm[branches, d], Wr[n, d], Wb[branches, d] = 0;
  param sa, sb          = 0.01      nodecay;

  begin H      = expand(x, n);
  let N[i,c]   = inner(H[i])[c];
  let am[b,i]  = sa * act(sum[c] Wm[b,c] * N[i,c]) + Am[b,i];
  let ar[k,j]  = sa * act(sum[c] Wr[k,c] * N[j,c]) + Ar[k,j];
  let bm[k,b]  = sb * act(sum[c] Wb[b,c] * N[k,c]) + B[k,b];

  let u[b,c]   = sum[i] am[b,i] * H[i,c];
  read xs[b,c] = norm(u[b])[c];
  let z[k,c]   = sum[j] ar[k,j] * H[j,c];
  write H[k,c] = dropout(z[k,c] + sum[b] bm[k,b] * ys[b,c], dropout);
  let s        = reduce(H);
  end   x      = norm(s);
}
