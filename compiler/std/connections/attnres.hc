/// Attention residuals: a branch reads a softmax over depth of what all gave; no sum is kept.
/// v_0 = x;  v_k = y of site k - 1;  u = sum_j p_j v_j, p = softmax_j of q (g rms(v_j));  x = norm(u)
/// Source:   Kimi Team 2026, arXiv:2603.15031, full and block form.
/// Begins:   q = 0: the mean of all, which is their sum divided, so that after the norm (but for its
///           eps) it is the pre-norm residual; g = 1. Decay on q only.
/// Cost:     2 d parameters a site and 2 d at the end; 2 d multiply-adds for each v_j; every v_j is
///           kept. block_sites = b sums the results of b sites in a row into one v (the block form);
///           8 such sums are said to be enough. Attention and MLP are two sites.
/// Differs:  the paper's eps under the root is 1e-8 or so, here 1e-6 as everywhere.
/// Use:      depth beyond 20 sites, where a sum drowns its early terms. Heads: `mhar`.
connection attnres(block_sites = 1, norm = rmsnorm) {
  state V[depth, d];

  begin V[0,c] = x[c];
  let u        = depth_attention(V, 1);
  read  x      = norm(u);
  if site % block_sites == 0 {
    append V[c] = y[c];
  } else {
    write V[depth - 1, c] = V[depth - 1, c] + y[c];
  }
  let last     = depth_attention(V, 1);
  end   x      = norm(last);
}

/// Multi-head attention residuals: `attnres` with a softmax over depth for each group of features.
/// Of `depth_heads` groups; one is `attnres`. The norm is over all features, a product over a group's.
/// Source:   the package hyper-connection-factory, MHAR.
/// Begins:   as `attnres`.
/// Cost:     as `attnres`.
/// Use:      the better of the two in the package's runs, at no more parameters.
connection mhar(depth_heads = 4, block_sites = 1, norm = rmsnorm) {
  state V[depth, d];

  begin V[0,c] = x[c];
  let u        = depth_attention(V, depth_heads);
  read  x      = norm(u);
  if site % block_sites == 0 {
    append V[c] = y[c];
  } else {
    write V[depth - 1, c] = V[depth - 1, c] + y[c];
  }
  let last     = depth_attention(V, depth_heads);
  end   x      = norm(last);
}

/// Attention over depth, each of `heads` groups of features by itself, with a learned query.
module depth_attention(heads) : V[n, d] -> u[d] {
  require d % heads == 0, "the width splits into equal heads";
  const e = d / heads;
  param q[d] = 0;
  param g[d] = 1  nodecay;
  let w[c]       = q[c] * g[c];
  let N[j,c]     = rmsnorm(V[j])[c];
  let s[h < heads, j] = sum[a] w[h*e + a] * N[j, h*e + a];
  let p[h,j]     = softmax[j] s[h,j];
  let u[h*e + a] = sum[j] p[h,j] * V[j, h*e + a];
}
