/// A mixture of experts: each position goes to the `top` experts that its router likes best.
/// Their results are weighted by the router's softmax among them (Shazeer et al. 2017, arXiv:1701.06538).
/// `balance` is the weight of the penalty that keeps experts alike busy: experts * sum_e f_e P_e, f_e the
/// share of positions that expert e gets, P_e its mean probability (Fedus et al. 2021, arXiv:2101.03961).
/// Every expert computes every position, and what was not chosen counts for nothing: right for any
/// routing and for a few experts, but none of the work is saved.
branch moe(hidden, experts = 8, top = 2, act = gelu, balance = 0.01, dropout = 0) : x[d] -> y[d] {
  require top >= 1 && top <= experts, "`top` experts are chosen among `experts`";
  param R[experts, d] ~ normal(0.02);                    // the router
  param W1[experts, hidden, d] ~ normal(0.02) apart(0);
  param W2[d, experts, hidden] ~ normal(0.02 / sqrt(2 * blocks)) apart(1);
  let l[e]    = sum[c] R[e,c] * x[c];
  let p[e]    = softmax[e] l[e];
  let rank[e] = sum[f] select(l[f] > l[e] || (l[f] == l[e] && f < e), 1, 0);    // the first of equals
  let g[e]    = select(rank[e] < top, p[e], 0);
  let w[e]    = g[e] / sum[f] g[f];
  let u[e,k]  = act(sum[c] W1[e,k,c] * x[c]);
  let z[c]    = sum[e,k] W2[c,e,k] * (w[e] * u[e,k]);
  let y       = dropout(z, dropout);
  if balance > 0 {
    let f[e]  = batch_mean(select(rank[e] < top, 1 / top, 0));
    let P[e]  = batch_mean(p[e]);
    penalty balance * experts * sum[e] f[e] * P[e];
    probe f;
  }
}
