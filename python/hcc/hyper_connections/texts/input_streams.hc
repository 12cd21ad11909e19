/// The class of hyper_connections_with_multi_input_streams: its projections have the destination
/// first, as layers of PyTorch do.
connection input_streams(n = 4, act = tanh) {
  state H[n, d];
  param gamma[d] = 0  nodecay;
  param static_alpha[n, n + 1] = 0  nodecay;    // source, destination: the read, then streams
  param static_beta[n]         = 1  nodecay;
  param alpha_proj[n + 1, d], beta_proj[d] = 0;
  param alpha_scale, beta_scale = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let r[s]       = sqrt(d) * rsqrt(max(sum[c] H[s,c]^2, 1e-24));
  let P[q,c]     = (1 + gamma[c]) * alpha_proj[q,c];
  let Q[c]       = (1 + gamma[c]) * beta_proj[c];
  let z[s,q]     = r[s] * sum[c] P[q,c] * H[s,c];
  let w[s]       = r[s] * sum[c] Q[c] * H[s,c];
  let alpha[s,q] = alpha_scale * act(z[s,q]) + static_alpha[s,q];
  let beta[s]    = beta_scale * act(w[s]) + static_beta[s];
  let mix[k < n, s] = alpha[s, k + 1];

  let u[c]     = sum[s] alpha[s,0] * H[s,c];
  read x       = u;
  let m[k,c]   = sum[s] mix[k,s] * H[s,c];
  let o[k,c]   = beta[k] * y[c];
  write H[k,c] = m[k,c] + o[k,c];
  let last[c]  = sum[i] H[i,c];
  end x = last;
}

/// What a further input of such a branch is read from: streams of its own, only ever read.
connection pooled_input(n = 4, act = tanh) {
  state H[n, d];
  param gamma[d] = 0  nodecay;
  param static_input[n] = 0  nodecay;
  param proj[d]         = 0;
  param scale           = 0.01  nodecay;

  begin H[i < n, c] = x[c];
  let r[s]     = sqrt(d) * rsqrt(max(sum[c] H[s,c]^2, 1e-24));
  let P[c]     = (1 + gamma[c]) * proj[c];
  let w[s]     = r[s] * sum[c] P[c] * H[s,c];
  let pre[s]   = scale * act(w[s]) + static_input[s];
  let u[c]     = sum[s] pre[s] * H[s,c];
  read x       = u;
  write H[k,c] = H[k,c] + y[c];
  let last[c]  = sum[i] H[i,c];
  end x = last;
}
