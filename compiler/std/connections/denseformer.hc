/// DenseFormer: after a block, a weighted average of what all blocks gave so far.
/// X_0 = x;  X_i+1 = block_i(Y_i), with ordinary residuals inside;  Y_i = sum_j a_ij X_j, j <= i
/// Source:   Pagliardini et al. 2024, arXiv:2402.02622 (depth-weighted averaging).
/// Begins:   a_ii = 1, the others 0: the pre-norm residual. No decay.
/// Cost:     i + 2 parameters after block i (from 0), as many multiply-adds a feature; every X_i is
///           kept. `dilation` k averages only the X_j with i - j divisible by k, `period` p only
///           after every p-th block; p larger than the depth is the residual.
/// Differs:  the released code decays the weights like all others. A block is `block_sites` sites.
/// Use:      a cheap look at all earlier blocks. Weights that depend on the token: `mudd`.
connection denseformer(block_sites = 2, dilation = 1, period = 1, norm = rmsnorm) {
  require block_sites >= 1 && dilation >= 1 && period >= 1, "blocks and steps are counted from 1";
  state h[d], X[depth, d];
  const closes = (site + 1) % block_sites == 0, older = floor(depth / dilation);

  begin h = x;
  begin X[0,c] = x[c];
  read  x      = norm(h);
  let r[c]     = h[c] + y[c];
  if closes {
    append X[c] = r[c];
  }
  if closes && depth % period == 0 {
    param a[older + 1] = onehot(older)  nodecay;   // what this block gave comes last
    if older > 0 {
      let past[c] = sum[m < older] a[m] * X[depth - dilation * (older - m), c];
    } else {
      let past[c] = 0 * r[c];
    }
    write h[c] = a[older] * r[c] + past[c];
  } else {
    write h = r;
  }
  end   x      = norm(h);
}
