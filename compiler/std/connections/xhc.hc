/// xHC: many streams, few of them active. Stream i < fixed is always; of the others those with the
/// highest scores  s = sigmoid(T layernorm(H)), over all n d entries, and they are written s times:
/// X are the active streams, g their gates (1 or s);  pre_i = sigmoid(ap zp_i + bp_i), z = P H / rms(H);
/// M = sinkhorn(ar R X / rms(X) + br), B_ka = 2 sigmoid(aq Q X / rms(X) + bq);
/// Y = y, and at temporal sites causal convolutions of y over 4, 8 and 12 positions, each made
/// orthogonal to those before;  x = norm(sum_i pre_i H_i);
/// X_k becomes sum_j M_kj X_j / max(sum_j M_kj, 1) + g_k sum_a B_ka Y_a; the others stay
/// Source:   arXiv:2607.14530, which has no public code; from notes on it.
/// Begins:   the scales 0.01; the rest is not published. Here a fixed stream is read, as in `mhc`, M is
///           near the identity, B is 1, and the convolutions are small. Decay on P, Q, R, T, C only.
/// Cost:     with k = active and v = 4 or 1:  (2 n^2 + k^3 + v k^2 + 24 at temporal sites) d and as many
///           biases and scales; as many multiplications a position, and (2 n k + k^2 + v k) d to mix.
/// Options:  those of `shc`; `temporal` is true at the paper's MLP sites: every second one.
/// Differs:  selection is by argmax, ties to the first; no gradient but the chosen scores'. The paper's
///           Gram-Schmidt has no stated eps: here 1e-6. Its Flash forms share a routing between sites.
/// Use:      n = 16 and more, where mixing all streams costs too much. The gain is the convolutions'.
connection xhc(n = 16, active = 4, fixed = 2, iters = 20, temporal = site % 2 == 1, norm = rmsnorm,
               start = site, expand = replicate, reduce = sum_streams, map = sinkhorn) {
  require 0 < fixed && fixed <= active && active <= n, "0 < fixed <= active <= n";
  const k = active, v = select(temporal, 4, 1);
  state H[n, d];
  param P[n, n, d], Q[k, v, k, d], R[k, k, k, d] ~ normal(0.02);
  param bp[n] = 6 * onehot(start % fixed) - 3, bq[k, v] = 0, br[k, k] = 8 * identity - 8  nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01  nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  if fixed < active {
    param T[n, n, d] ~ normal(0.02);
    let m        = mean[i,c] H[i,c], q = rsqrt(mean[i,c] (H[i,c] - m)^2 + 1e-5);
    let s[i]     = select(i < fixed, 2 - i / n, sigmoid(q * sum[j,c] T[i,j,c] * (H[j,c] - m)));
    let S        = top_k(s, k);                         // S[a,i] is 1 where the a-th active is i
    let g[a]     = min(1, sum[i] S[a,i] * s[i]);
  } else {
    let S[a < k, i < n] = select(a == i, 1, 0), g[a < k] = 1;
  }
  let X[a,c]   = sum[i] S[a,i] * H[i,c];
  let t        = rsqrt(mean[a,c] X[a,c]^2 + 1e-6);
  let L[a,b]   = ar * t * (sum[j,c] R[a,b,j,c] * X[j,c]) + br[a,b];
  let M        = map(L, iters);
  let N[a,b]   = M[a,b] / max(sum[j] M[a,j], 1);
  let B[a,e]   = 2 * sigmoid(aq * t * (sum[j,c] Q[a,e,j,c] * X[j,c]) + bq[a,e]);
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  if temporal { let Y = echoes(y); } else { let Y[e < 1, c] = y[c]; }
  let Z[a,c]   = sum[b] N[a,b] * X[b,c] + g[a] * sum[e] B[a,e] * Y[e,c];
  write H[i,c] = (1 - sum[a] S[a,i]) * H[i,c] + sum[a] S[a,i] * Z[a,c];
  let h        = reduce(H);
  end   x      = norm(h);
}

/// y, and three causal convolutions of it, feature by feature, over 4, 8 and 12 positions; each is
/// made orthogonal to those before it (Gram-Schmidt).
module echoes : y[d] -> Y[4, d] {
  param C[24, d] ~ normal(0.02);                        // entries of the kernels, oldest first
  let Y[e < 4, c] = y[c];
  for e < 3 {
    let past = window(y, 4 * (e + 1));
    let f[c] = sum[a] C[2 * e * (e + 1) + a, c] * past[a,c];
    for b < e + 1 {
      let q  = (sum[c] f[c] * Y[b,c]) / (sum[c] Y[b,c]^2 + 1e-6);
      f[c]   = f[c] - q * Y[b,c];
    }
    Y[e + 1, c] = f[c];
  }
}
