/// Hyper-connections of pictures whose features stand in front of rows and columns. A state is a
/// plane of `area` places for each feature, so nothing is turned: what is a position elsewhere is
/// the last axis here, and the trunk's width is features times places.
connection pictures(n = 4, area = 1, views = 1, act = tanh, depth = true) {
  const e = d / area, t = views + n;
  state H[n, d];
  param gamma[e] = 0  nodecay;
  param static_alpha[n, t]     = 0  nodecay;    // source, destination: views, then streams
  param dynamic_alpha_fn[t, e] = 0;    // here the destination is first
  param dynamic_alpha_scale    = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let F[s, a < e, p < area] = H[s, a*area + p];
  let r[s,p]       = sqrt(e) * rsqrt(max(sum[a] F[s,a,p]^2, 1e-24));
  let P[q,a]       = (1 + gamma[a]) * dynamic_alpha_fn[q,a];
  let z[s,q,p]     = r[s,p] * sum[a] P[q,a] * F[s,a,p];
  let alpha[s,q,p] = dynamic_alpha_scale * act(z[s,q,p]) + static_alpha[s,q];
  let pre[v < views, s, p] = alpha[s,v,p];
  let mix[k < n, s, p]     = alpha[s, views + k, p];

  let u[v, a*area + p] = sum[s] pre[v,s,p] * F[s,a,p];
  if views == 1 { read x[c] = u[0,c]; } else { read x = u; }
  let m[k, a*area + p] = sum[s] mix[k,s,p] * F[s,a,p];
  if depth {
    param static_beta[n]     = 1  nodecay;
    param dynamic_beta_fn[e] = 0;
    param dynamic_beta_scale = 0.01  nodecay;
    let Q[a]      = (1 + gamma[a]) * dynamic_beta_fn[a];
    let w[s,p]    = r[s,p] * sum[a] Q[a] * F[s,a,p];
    let beta[s,p] = dynamic_beta_scale * act(w[s,p]) + static_beta[s];
    let Y[a < e, p < area] = y[a*area + p];
    let o[k, a*area + p] = beta[k,p] * Y[a,p];
    write H[k,c]    = m[k,c] + o[k,c];
  } else {
    write H = m;
  }
  let last[c] = sum[i] H[i,c];
  end x = last;
}
