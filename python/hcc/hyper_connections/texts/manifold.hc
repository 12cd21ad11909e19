/// The class ManifoldConstrainedHyperConnections of manifold_constrained_hyper_connections, with the
/// package's order: a row of logits belongs to a source (fraction f, stream s) and holds, fraction
/// after fraction, one destination to read and n to carry.
///
/// With several fractions only the first logit of a row is what the branch reads; all others of a
/// fraction are scaled together, n by fracs (n + 1) - 1, which is not square. The gain of the reads
/// reaches the first `fracs` logits. That is how trained weights came about, so it stays.
connection manifold(n = 4, fracs = 1, iters = 20, proposals = 1, constraint = sources_last, depth = true) {
  const e = d / fracs, t = n + 1, w = fracs * t;
  state H[n, d];
  param gamma[e] = 0  nodecay;
  param static_alpha[fracs * n, w]        = 0  nodecay;
  param dynamic_alpha_fn[proposals, e, w] = 0;
  param pre_branch_scale, residual_scale  = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let F[f < fracs, s, a < e] = H[s, f*e + a];
  let r[f,s]     = sqrt(e) * rsqrt(max(sum[a] F[f,s,a]^2, 1e-24));
  let P[p,q,a]   = select(q < fracs, pre_branch_scale, residual_scale) * (1 + gamma[a]) * dynamic_alpha_fn[p,a,q];
  let z[p,f,s,q] = r[f,s] * (sum[a] P[p,q,a] * F[f,s,a]) + static_alpha[f*n + s, q];
  let reads[f,s] = mean[p] sigmoid(z[p,f,s,0]);
  let logits[p,f,s, j < w - 1] = z[p,f,s,j + 1];
  let mixes[p,f,s,j]  = constraint(logits[p,f], iters)[s,j];
  let chosen[f,s,j]   = mean[p] mixes[p,f,s,j];

  if fracs == 1 {
    let pre[g < fracs, f, s]    = reads[f,s];
    let mix[g < fracs, k < n, f, s] = chosen[f,s,k];
  } else {
    let alpha[f, s, q < w] = select(q == 0, reads[f,s], chosen[f, s, (q + w - 2) % (w - 1)]);
    let pre[g < fracs, f, s]    = alpha[f, s, g*t];
    let mix[g < fracs, k < n, f, s] = alpha[f, s, g*t + 1 + k];
  }

  let u[g*e + a]    = sum[f,s] pre[g,f,s] * F[f,s,a];
  read x            = u;
  let m[k, g*e + a] = sum[f,s] mix[g,k,f,s] * F[f,s,a];
  if depth {
    param static_beta[n * fracs]    = 1  nodecay;
    param dynamic_beta_fn[e, fracs] = 0;
    param h_post_scale              = 0.01  nodecay;
    let Q[g,a]        = h_post_scale * (1 + gamma[a]) * dynamic_beta_fn[a,g];
    let b[f,s,g]      = r[f,s] * sum[a] Q[g,a] * F[f,s,a];
    let beta[f,s,g]   = 2 * sigmoid(b[f,s,g] + static_beta[s*fracs + g]);
    let Y[f < fracs, a < e] = y[f*e + a];
    let landed[k < n, g < fracs, a] = sum[f] beta[f,k,g] * Y[f,a];
    let o[k, g*e + a] = landed[k,g,a];
    write H[k,c]      = m[k,c] + o[k,c];
  } else {
    write H = m;
  }
  let last[c] = sum[i] H[i,c];
  end x = last;
}

/// Each destination first, each source last.
fn sources_last(L[n, n], iters) -> M[n, n] {
  let T[b,a] = L[a,b];
  let D      = sinkhorn_transposed(T, iters);
  let M[a,b] = D[b,a];
}

/// The same where there are more destinations than sources: the two vectors that scale a square would
/// grow without bound here, so all entries are divided. Without turns this is the package's exp, too.
fn oblong_sources_last(L[s, j], iters) -> M[s, j] {
  let M[a,b] = exp(L[a,b] - stop_gradient(max[i] L[i,b]));
  iterate iters {
    M[a,b] = M[a,b] / max(sum[i] M[i,b], 1e-12);
    M[a,b] = M[a,b] / max(sum[i] M[a,i], 1e-12);
  }
}

/// In logarithms, of either shape.
fn sources_last_log(L[s, j], iters) -> M[s, j] {
  let G[a,b] = L[a,b];
  iterate iters {
    G[a,b] = G[a,b] - logsumexp[i] G[i,b];
    G[a,b] = G[a,b] - logsumexp[i] G[a,i];
  }
  let M[a,b] = exp(G[a,b]);
}
