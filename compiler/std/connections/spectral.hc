/// Spectral-sphere hyper-connections (sHC): what goes in and out of each stream sums to one, no
/// direction is lengthened, and weights may be negative. With z = . H / rms(H) over all n d entries,
/// e = n - 1 and Z the orthonormal basis of differences (`helmert`):  E = X diag(tanh(ar zr + br)) W^T,
/// X = cayley(skew(tanh(au zu + bu))), W likewise;  M = 1/n + Z E Z^T;
/// pre and post as in `krom`;  x = norm(sum_i pre_i H_i);  H_k becomes sum_j M_kj H_j + post_k y
/// Source:   Liu et al. 2026, arXiv:2603.20896, and its code. The lowercase s is the paper's; `shc` here
///           is static hyper-connections.
/// Begins:   P, Q, R, U, V = 0; br = 4: M is 0.9995 on the diagonal (n = 4); bu = bv = 0; bp and bq 1
///           at stream `start % n`, -1 elsewhere; scales 0.01. Decay on P, Q, R, U, V only.
/// Cost:     n d (2n + e^2) + 2n + e^2 + 5 parameters, two less for n = 2, which has nothing to turn;
///           (n e^2 + 3 n^2 + 2n) d multiplications a position, and about 2 e^3 to solve.
/// Options:  those of `shc`.
/// Differs:  the basis and the order of U's entries are free; other choices permute parameters.
/// Use:      where streams should be able to subtract. At br = 4 its gradients are small at first.
connection spectral(n = 4, norm = rmsnorm, start = site, expand = replicate,
                    reduce = sum_streams) {
  require n > 1, "one stream leaves nothing to turn";
  const e = n - 1, K = e * (e - 1) / 2;
  state H[n, d];
  param P[n, n, d], Q[n, n, d], R[e, n, d] = 0;
  param bp[n], bq[n] = 2 * onehot(start % n) - 1  nodecay;
  param br[e] = 4                                 nodecay;
  param ap = 0.01, aq = 0.01, ar = 0.01           nodecay;

  begin H      = expand(x, n);
  let r        = rsqrt(mean[i,c] H[i,c]^2 + 1e-6);
  let pre[i]   = sigmoid(ap * r * (sum[j,c] P[i,j,c] * H[j,c]) + bp[i]);
  let post[k]  = 2 * sigmoid(aq * r * (sum[j,c] Q[k,j,c] * H[j,c]) + bq[k]);
  let v[a]     = tanh(ar * r * (sum[i,c] R[a,i,c] * H[i,c]) + br[a]);
  if n > 2 {
    param U[K, n, d], V[K, n, d] = 0;
    param bu[K] = 0, bv[K] = 0, au = 0.01, av = 0.01  nodecay;
    let tu[p]  = tanh(au * r * (sum[i,c] U[p,i,c] * H[i,c]) + bu[p]);
    let tv[p]  = tanh(av * r * (sum[i,c] V[p,i,c] * H[i,c]) + bv[p]);
    let X      = cayley(skew(tu, e)), W = cayley(skew(tv, e));
    let E[a,b] = sum[q] X[a,q] * v[q] * W[b,q];
  } else {
    let E[a,b < e] = identity[a,b] * v[a];
  }
  let Z        = helmert(n);
  let T[k,b]   = sum[a] Z[k,a] * E[a,b];
  let M[k,j]   = 1 / n + sum[b] T[k,b] * Z[j,b];
  probe M;

  let u[c]     = sum[i] pre[i] * H[i,c];
  read  x      = norm(u);
  write H[k,c] = sum[j] M[k,j] * H[j,c] + post[k] * y[c];
  let s        = reduce(H);
  end   x      = norm(s);
}
