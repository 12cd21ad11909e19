/// Manifold-constrained hyper-connections with per-stream projections: the package's.
/// Slot i is fraction i % F of stream i / F, H_i its state, N_i = inner(H_i);
/// pre_gi = mean_p sigmoid(sp Wm_pg N_i + Am_gi);  M = mean_p constraint(sr Wr_pk N_i + Ar_ki)
/// u_g = sum_i pre_gi H_i; x = norm(u);  H_k becomes sum_i M_ki H_i + sum_f post_sfg y_f for slot
/// k = (s, g), post_sfg = 2 sigmoid(sb Wb_g N_sf + B_sf)
/// Source:   package hyper-connections 0.4.11, mHCv2; with one fraction and no `premix` also its
///           ManifoldConstrainedHyperConnections. After Xie et al. 2025, arXiv:2512.24880.
/// Begins:   Am one-hot at slot `start`, Ar and premix 1, B 1, W 0, scales 0.01: a read of 0.73 there
///           and 0.5 elsewhere, M far from the identity (0.475 on the diagonal, n = 4), post 1.46.
/// Cost:     m (F + m) + n F + e (p (F + m) + F) + 3 parameters for m = n F slots of width e.
/// Options:  p = proposals; premix is mix_streams_before_norm; constraint sinkhorn_log is
///           log_domain_sinkhorn, and any function of its kind will do; iters = 0 leaves M
///           unconstrained; `transform` is residual_transform, and with transform = linear(64),
///           width = 64 the trunk is 64 wide from here on; depth = false is
///           add_branch_out_to_residual=False: what leaves the trunk is the last branch's output.
/// Differs:  from `mhc`: weights see one stream each, and the last division is by sources. The first
///           class's fractions normalise a block that is not square, and both fail with several views:
///           neither is here.
/// Use:      to continue what the package began; otherwise `mhc`.
connection mhc_v2(n = 4, fracs = 1, iters = 20, proposals = 1, premix = false, norm = rmsnorm,
                  inner = l2norm, constraint = sinkhorn_transposed, transform = none, width = 0,
                  start = site, dropout = 0, join = add, depth = true, expand = replicate,
                  reduce = sum_streams) {
  const w = select(width == 0, d, width), e = w / fracs, m = n * fracs;
  state H[n, d];
  let A0[g < fracs, i < m] = select(i == start % n, 1, 0);
  param Am[fracs, m] = A0        nodecay;
  param Ar[m, m]     = identity  nodecay;       // destination, source
  param Wm[proposals, fracs, e], Wr[proposals, m, e] = 0;
  param sp, sr       = 0.01      nodecay;

  begin H = expand(x, n);
  let R[s,c] = transform(H[s])[c];
  let F[s, f < fracs, a < e] = R[s, f*e + a];
  let S[s*fracs + f, a]      = F[s,f,a];
  if premix {
    param P[n, n] = identity;
    let Q[k*fracs + f, a] = sum[s] P[k,s] * F[s,f,a];
  } else { let Q = S; }
  let N[i,a]    = inner(Q[i])[a];
  let pre[g,i]  = mean[p] sigmoid(sp * (sum[a] Wm[p,g,a] * N[i,a]) + Am[g,i]);
  let L[p,k,i]  = sr * (sum[a] Wr[p,k,a] * N[i,a]) + Ar[k,i];
  if iters > 0 { let C[p,k,i] = constraint(L[p], iters)[k,i]; } else { let C = L; }
  let M[k,i]    = mean[p] C[p,k,i];
  probe M;

  let u[g*e + a]    = sum[i] pre[g,i] * S[i,a];
  read  x           = norm(u);
  let v[s, g*e + a] = sum[i] M[s*fracs + g, i] * S[i,a];
  if depth {
    param Wb[fracs, e] = 0;
    param B[n, fracs]  = 1, sb = 0.01  nodecay;
    let z[s,f,g]      = 2 * sigmoid(sb * (sum[a] Wb[g,a] * N[s*fracs + f, a]) + B[s,f]);
    let o[s, g*e + a] = sum[f] z[s,f,g] * y[f*e + a];
    write H[s, c < w] = dropout(join(o[s], v[s])[c], dropout);
    let s             = reduce(H);
    end   x           = norm(s);
  } else { write H = R; end x = y; }
}
