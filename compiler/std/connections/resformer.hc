/// ResFormer: a pre-norm residual whose attention sees, beside its own values, the first attention's.
/// x = norm(h);  values V_l become l1 V_l + l2 V_0;  h becomes h + y;  at the end norm(h)
/// Source:   Zhou et al. 2024, arXiv:2410.17897 (value residual learning).
/// Begins:   l1 = `own` and l2 = `first`, both 1/2. No decay on the two.
/// Cost:     2 numbers a site and 2 multiplications a value; the first attention's values are kept.
/// Options:  `learned = false` leaves l1 and l2 what they begin as. `heads` and `kv_heads` are those of
///           the branches, from which the values' width follows; a model's constants need not be said.
/// Differs:  there the first layer is layer 1; here it is the first site whose branch gives `values`,
///           and all later ones that take `v0` get them: `attention_values`. Other branches, MLPs, see a
///           `residual`.
/// Use:      where deep layers' attention falls on few tokens; the cheapest link between far layers.
connection resformer(own = 0.5, first = 0.5, learned = true, heads = 1, kv_heads = heads,
                     norm = rmsnorm) {
  const w = kv_heads * floor(d / heads);
  state h[d], V[held, w];                       // V: nothing, then the first values
  begin h = x, V[0,a] = 0;
  if takes(v0) && held > 1 {
    if learned {
      param l1 = own, l2 = first  nodecay;
    } else {
      let l1 = own, l2 = first;
    }
    let V0[a] = l2 * V[1,a];
    read x = norm(h), v0 = V0, own = l1;
  } else {
    read x = norm(h);
  }
  write h[c] = h[c] + y[c];
  if gives(values) && held == 1 {
    append V[a] = values[a];
  }
  end x = norm(h);
}
