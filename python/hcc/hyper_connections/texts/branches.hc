/// The class of hyper_connections_with_multi_branch_inputs: V inputs of branches are read, and what
/// comes of them is written, each with weights of its own.
connection several_branches(n = 4, act = tanh) {
  const V = branches, t = V + n;
  state H[n, d];
  param gamma[d] = 0  nodecay;
  param static_alpha[n, t]     = 0  nodecay;    // source, destination: inputs, then streams
  param dynamic_alpha_fn[d, t] = 0;
  param dynamic_alpha_scale    = 0.01  nodecay;
  param static_beta[n, V]      = 1  nodecay;
  param dynamic_beta_fn[d, V]  = 0;
  param dynamic_beta_scale     = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let r[s]        = sqrt(d) * rsqrt(max(sum[c] H[s,c]^2, 1e-24));
  let P[q,c]      = (1 + gamma[c]) * dynamic_alpha_fn[c,q];
  let Q[v,c]      = (1 + gamma[c]) * dynamic_beta_fn[c,v];
  let z[s,q]      = r[s] * sum[c] P[q,c] * H[s,c];
  let w[s,v]      = r[s] * sum[c] Q[v,c] * H[s,c];
  let alpha[s,q]  = dynamic_alpha_scale * act(z[s,q]) + static_alpha[s,q];
  let beta[s,v]   = dynamic_beta_scale * act(w[s,v]) + static_beta[s,v];
  let pre[v < V, s] = alpha[s,v];
  let mix[k < n, s] = alpha[s, V + k];

  let u[v,c]   = sum[s] pre[v,s] * H[s,c];
  read xs      = u;
  let m[k,c]   = sum[s] mix[k,s] * H[s,c];
  let o[k,c]   = sum[v] beta[k,v] * ys[v,c];
  write H[k,c] = m[k,c] + o[k,c];
  let last[c]  = sum[i] H[i,c];
  end x = last;
}
