/// Dynamic hyper-connections: the weights follow what each stream holds.
/// x = norm(sum_i am_i H_i);  H_k becomes sum_j ar_kj H_j + b_k y;  with N_i = inner(H_i)
/// am_i = sa act(Wm N_i) + Am_i,  ar_kj = sa act(Wr_k N_j) + Ar_kj,  b_k = sb act(Wb N_k) + B_k
/// Source:   Zhu et al. 2024, arXiv:2409.19606, section 2.2 (DHC). What concerns source j depends on
///           stream j alone, and stream k's write weight on stream k.
/// Begins:   as `shc`: the W are 0, sa = sb = 0.01. Decay on the W only.
/// Cost:     n (n + 2) + d (n + 2) + 2 parameters; (2 n^2 + 4n) d multiplications a position.
/// Options:  those of `shc`; act = none is the paper's "w/o tanh"; `inner` is the norm that the
///           weights see, layernorm in the paper.
/// Differs:  inner = l2norm makes it the hyper-connections package's (its branch holds the read's
///           norm, and it starts at a random stream when it is given no layer_index).
/// Use:      better than `shc` from n = 2 on in the paper; n = 1 is worse than a residual.
connection dhc(n = 4, norm = rmsnorm, inner = norm, act = tanh, start = site, dropout = 0,
               expand = replicate, reduce = sum_streams) {
  state H[n, d];
  param Am[n]    = onehot(start % n)  nodecay;
  param Ar[n, n] = identity           nodecay;   // destination, source
  param B[n]     = 1                  nodecay;
  param Wm[d], Wr[n, d], Wb[d] = 0;              // Wr: destination, feature
  param sa, sb   = 0.01               nodecay;

  begin H        = expand(x, n);
  let N[i,c]     = inner(H[i])[c];               // each stream by itself
  let am[i]      = sa * act(sum[c] Wm[c] * N[i,c]) + Am[i];
  let ar[k,j]    = sa * act(sum[c] Wr[k,c] * N[j,c]) + Ar[k,j];
  let b[k]       = sb * act(sum[c] Wb[c] * N[k,c]) + B[k];

  let u[c]       = sum[i] am[i] * H[i,c];
  read  x        = norm(u);
  write H[k,c]   = dropout(sum[j] ar[k,j] * H[j,c] + b[k] * y[c], dropout);
  let s          = reduce(H);
  end   x        = norm(s);
}
