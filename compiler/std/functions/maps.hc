/// The skew matrix whose entries above the diagonal are t, in reading order.
fn skew(t[k], n) -> A[n, n] {
  require 2 * k == n * (n - 1), "a skew matrix has n (n - 1) / 2 free entries";
  let low[a < n, b < n] = min(a, b), sign[a < n, b < n] = select(a < b, 1, select(a > b, -1, 0));
  let at[a < n, b < n]  = max(0, low[a,b] * n - low[a,b] * (low[a,b] + 1) / 2 + max(a, b) - low[a,b] - 1);
  let A[a,b]            = sign[a,b] * t[at[a,b]];
}

/// A doubly stochastic map filled entry by entry, each between what its row and column must still
/// take and what they still can: sigmoid(t) says where. The last row and column are what is left.
fn transport(t[e, e], width = 1e-7) -> M[e + 1, e + 1] {
  let X[k < e + 1, j < e + 1] = 0, c[j < e + 1] = 1;
  for k < e {                                   // of e - k lines below nothing is taken yet
    let r = 1, x[j < e + 1] = 0, rest[j < e + 1] = 0;
    for a < e {
      rest[e - 1 - a] = rest[e - a] + c[e - a];
    }
    for j < e {
      let low  = max(0, r - rest[j], c[j] - (e - k)), high = min(r, c[j]);
      let v    = low + max(high - low, width) * sigmoid(t[k,j]);
      x[j]     = v;
      r        = r - v;
    }
    x[e]   = r;
    c[j]   = c[j] - x[j];
    X[k,j] = x[j];
  }
  let M[k,j] = select(k == e, c[j], X[k,j]);
}

/// 1 · 2 · … · n, for shapes such as that of permutations(n).
fn factorial(n) -> f {
  let f = 1;
  for k < n {
    f = f * (k + 1);
  }
}

/// Row a is 1 at the a-th largest entry of s and 0 elsewhere; of equal ones the first comes first.
fn top_k(s[n], k) -> S[k, n] {
  require k <= n, "the `k` largest of fewer entries";
  let S[a < k, i < n] = 0, w[i] = s[i];
  for a < k {
    let p   = argmax[i] w[i];
    S[a,i]  = select(i == p, 1, 0);
    w[i]    = select(i == p, (min[j] s[j]) - 1, w[i]);
  }
}
