/// The class ManifoldConstrainedHyperConnections of mHCv2: slot i is fraction i % fracs of stream
/// i / fracs. A row of logits belongs to a source and holds the fractions that are read, then the
/// slots that are carried to.
connection manifold_v2(n = 4, fracs = 1, iters = 20, proposals = 1, premix = false,
                       constraint = sources_last, depth = true) {
  const e = d / fracs, slots = n * fracs, w = fracs + slots;
  state H[n, d];
  param gamma[e] = 0  nodecay;
  param static_alpha[slots, w]            = 0  nodecay;
  param dynamic_alpha_fn[proposals, e, w] = 0;
  param pre_branch_scale, residual_scale  = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let F[s, f < fracs, a < e] = H[s, f*e + a];
  let S[s*fracs + f, a]      = F[s,f,a];
  if premix {
    param streams[n, n] = identity;    // destination, source
    let mixed[k*fracs + f, a] = sum[s] streams[k,s] * F[s,f,a];
  } else {
    let mixed = S;
  }
  let r[i]       = sqrt(e) * rsqrt(max(sum[a] mixed[i,a]^2, 1e-24));
  let P[p,q,a]   = select(q < fracs, pre_branch_scale, residual_scale) * (1 + gamma[a]) * dynamic_alpha_fn[p,a,q];
  let z[p,i,q]   = r[i] * (sum[a] P[p,q,a] * mixed[i,a]) + static_alpha[i,q];
  let pre[g < fracs, i]     = mean[p] sigmoid(z[p,i,g]);
  let logits[p,i,k < slots] = z[p,i,k + fracs];
  if iters > 0 {
    let mixes[p,i,k] = constraint(logits[p], iters)[i,k];
  } else {
    let mixes = logits;
  }
  let mix[k,i] = mean[p] mixes[p,i,k];

  let u[g*e + a]        = sum[i] pre[g,i] * S[i,a];
  read x                = u;
  let m[s < n, g*e + a] = sum[i] mix[s*fracs + g, i] * S[i,a];
  if depth {
    param static_beta[n, fracs]     = 1  nodecay;
    param dynamic_beta_fn[e, fracs] = 0;
    param h_post_scale              = 0.01  nodecay;
    let Q[g,a]        = h_post_scale * (1 + gamma[a]) * dynamic_beta_fn[a,g];
    let b[s,f,g]      = r[s*fracs + f] * sum[a] Q[g,a] * mixed[s*fracs + f, a];
    let beta[s < n, f < fracs, g] = 2 * sigmoid(b[s,f,g] + static_beta[s,f]);
    let Y[f < fracs, a < e] = y[f*e + a];
    let landed[k < n, g < fracs, a] = sum[f] beta[k,f,g] * Y[f,a];
    let o[k, g*e + a] = landed[k,g,a];
    write H[k,c]      = m[k,c] + o[k,c];
  } else {
    write H = m;
  }
  let last[c] = sum[i] H[i,c];
  end x = last;
}

fn sources_last(L[n, n], iters) -> M[n, n] {
  let T[b,a] = L[a,b];
  let D      = sinkhorn_transposed(T, iters);
  let M[a,b] = D[b,a];
}

fn sources_last_log(L[n, n], iters) -> M[n, n] {
  let T[b,a] = L[a,b];
  let D      = sinkhorn_log(T, iters);
  let M[a,b] = D[b,a];
}
