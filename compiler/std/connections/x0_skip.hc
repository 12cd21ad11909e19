/// A residual that every block begins with some of what the trunk was given.
/// g = l1 h + l2 x0 before a block, else h;  x = norm(g);  h becomes g + y
/// Source:   the speed runs of nanoGPT (modded-nanogpt), after U-nets and value residuals.
/// Begins:   l1 = 1, l2 = 0: `residual`. No decay on them.
/// Cost:     2 parameters a block; the trunk's input is kept.
/// Options:  a block is `block_sites` sites.
/// Use:      language models of a few hundred million parameters, trained for speed.
connection x0_skip(block_sites = 2, norm = rmsnorm) {
  state h[d], first[d];
  begin h = x, first = x;
  if site % block_sites == 0 {
    param l1 = 1, l2 = 0  nodecay;
    let g[c] = l1 * h[c] + l2 * first[c];
  } else {
    let g = h;
  }
  read  x = norm(g);
  write h[c] = g[c] + y[c];
  write first = first;
  end   x = norm(h);
}
