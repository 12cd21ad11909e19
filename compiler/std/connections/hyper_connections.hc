/// Dynamic hyper-connections with fractions and several views: the class of that name.
/// Streams s and fractions f of a state make n * fracs sources; N_fs = inner(H_fs)
/// u_vg = sum_fs (sa act(Wm_vg N_fs) + Am_vgfs) H_fs, view v, fraction g; x = norm(u)
/// H_gk becomes sum_fs (sa act(Wr_gk N_fs) + Ar_gkfs) H_fs + sum_f (sb act(Wb_g N_fk) + B_kg) y_f
/// Source:   package hyper-connections 0.4.11, HyperConnections; Zhu et al. 2024, arXiv:2409.19606.
/// Begins:   as the package: with one fraction each view reads stream `start % n`, as `dhc`. Its
///           initial values count reads and carries in two ways, so several fractions begin mixed,
///           unlike `frac`, and what is written is the sum of the branch's fractions.
/// Cost:     F n (V F + F n + 1) + e (V F + F n + F) + 2 parameters, F fractions of width e, V views;
///           (F n)(V F + F n) e multiplications to mix. Decay on the W only.
/// Options:  act = none is tanh=False; `join` is depth_residual_fn; depth = false is
///           add_branch_out_to_residual=False; `expand` embed_streams is add_stream_embed.
/// Differs:  here the destination comes first; the norm of the read is the connection's.
/// Use:      to continue what the package began; otherwise `dhc` or `frac`.
connection hyper_connections(n = 4, fracs = 1, views = 1, norm = rmsnorm, inner = l2norm, act = tanh,
                             start = site, dropout = 0, depth = true, join = add,
                             expand = replicate, reduce = sum_streams) {
  const e = d / fracs, t = views + n, read = views * fracs;
  state H[n, d];
  let A0[g < fracs, i < t, f < fracs, s < n] =
      select(g*t + i < read, select(f*n + s == start % n, 1, 0), select(f*n + s == g*t + i - read, 1, 0));
  let Am0[v < views, g, f, s] = A0[g, v, f, s];
  let Ar0[g, k < n, f, s]     = A0[g, k + views, f, s];
  param Am[views, fracs, fracs, n] = Am0  nodecay;
  param Ar[fracs, n, fracs, n]     = Ar0  nodecay;
  param Wm[views, fracs, e], Wr[fracs, n, e] = 0;
  param sa                         = 0.01 nodecay;

  begin H = expand(x, n);
  let F[f < fracs, s, a < e] = H[s, f*e + a];
  let N[f,s,a]    = inner(F[f,s])[a];
  let am[v,g,f,s] = sa * act(sum[a] Wm[v,g,a] * N[f,s,a]) + Am[v,g,f,s];
  let ar[g,k,f,s] = sa * act(sum[a] Wr[g,k,a] * N[f,s,a]) + Ar[g,k,f,s];

  let u[v, g*e + a] = sum[f,s] am[v,g,f,s] * F[f,s,a];
  let w[v,c]        = norm(u[v])[c];
  if views == 1 { read x[c] = w[0,c]; } else { read x = w; }
  let m[k, g*e + a] = sum[f,s] ar[g,k,f,s] * F[f,s,a];
  if depth {
    param B[n, fracs]  = 1     nodecay;
    param Wb[fracs, e] = 0;
    param sb           = 0.01  nodecay;
    let b[g,k,f] = sb * act(sum[a] Wb[g,a] * N[f,k,a]) + B[k,g];
    let o[k, g*e + a] = sum[f] b[g,k,f] * y[f*e + a];
    write H[k,c] = dropout(join(o[k], m[k])[c], dropout);
    let s        = reduce(H);
    end   x      = norm(s);
  } else {
    write H = H;
    end   x = y;
  }
}
