/// The class HyperConnections: streams s and fractions f of a state are its sources, N their norms.
/// Parameters have the names, shapes and order of the package's (source first), so that a state
/// dictionary goes both ways. The gain, the root of the width and a transposition go into the
/// weights, once a call: what is done for each position is a product of H with a small matrix.
connection hyper_connections(n = 4, fracs = 1, views = 1, act = tanh, depth = true) {
  const e = d / fracs, t = views + n;   // destinations in a fraction: views, then streams
  state H[n, d];
  param gamma[e] = 0  nodecay;
  param static_alpha[fracs * n, fracs * t] = 0  nodecay;
  param dynamic_alpha_fn[e, fracs * t]     = 0;
  param dynamic_alpha_scale                = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let F[f < fracs, s, a < e] = H[s, f*e + a];
  let r[f,s]        = sqrt(e) * rsqrt(max(sum[a] F[f,s,a]^2, 1e-24));
  let P[q,a]        = (1 + gamma[a]) * dynamic_alpha_fn[a,q];
  let z[f,s,q]      = r[f,s] * sum[a] P[q,a] * F[f,s,a];
  let alpha[f,s,q]  = dynamic_alpha_scale * act(z[f,s,q]) + static_alpha[f*n + s, q];
  let pre[v < views, g < fracs, f, s] = alpha[f, s, g*t + v];
  let mix[g < fracs, k < n, f, s]     = alpha[f, s, g*t + views + k];

  let u[v, g*e + a] = sum[f,s] pre[v,g,f,s] * F[f,s,a];
  if views == 1 { read x[c] = u[0,c]; } else { read x = u; }
  let m[k, g*e + a] = sum[f,s] mix[g,k,f,s] * F[f,s,a];
  if depth {
    param static_beta[n * fracs]    = 1  nodecay;
    param dynamic_beta_fn[e, fracs] = 0;
    param dynamic_beta_scale        = 0.01  nodecay;
    let Q[g,a]        = (1 + gamma[a]) * dynamic_beta_fn[a,g];
    let w[f,s,g]      = r[f,s] * sum[a] Q[g,a] * F[f,s,a];
    let beta[f,s,g]   = dynamic_beta_scale * act(w[f,s,g]) + static_beta[s*fracs + g];
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
