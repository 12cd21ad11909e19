/// Delta attention residuals: a pre-norm residual whose branches also read attention over depth.
/// x = norm(h + g sum_j p_j v_j), p = softmax_j of q (k rms(v_j));  h becomes h + y
/// v_0 = the trunk's x;  v_k = y of site k - 1, or the sum of `block_sites` of them in a row
/// Source:   the package hyper-connection-factory, DeltaAttnRes.
/// Begins:   g = 0: the pre-norm residual (the package's gate = "zero"); q = 0, k = 1. gated = false
///           fixes g at 1, as it does when training from the start; what is added is the mean of all at
///           first, a multiple of h, so that it begins as the residual too. Decay on q only.
/// Cost:     2 d + 1 parameters a site; 2 d multiply-adds for each v_j; every v_j is kept.
/// Options:  `depth_heads` groups of features with a softmax each; block_sites = 2 takes one v a block.
/// Use:      to give a trained residual network a look at depth. From the start: `attnres`.
connection dar(depth_heads = 1, block_sites = 1, gated = true, norm = rmsnorm) {
  state h[d], p[d], V[depth, d];       // p: what is not in V yet

  begin h = x;
  begin p[c] = 0 * x[c];
  begin V[0,c] = x[c];
  let u = depth_attention(V, depth_heads);
  if gated {
    param g = 0  nodecay;
    let r[c] = h[c] + g * u[c];
  } else {
    let r[c] = h[c] + u[c];
  }
  read  x    = norm(r);
  write h[c] = h[c] + y[c];
  if (site + 1) % block_sites == 0 {
    append V[c] = p[c] + y[c];
    write p[c]  = 0 * y[c];
  } else {
    write p[c]  = p[c] + y[c];
  }
  end   x    = norm(h);
}
