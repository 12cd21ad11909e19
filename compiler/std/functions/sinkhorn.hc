/// Doubly stochastic scaling: each source first, each destination last (the paper's order); exp(L)
/// where `iters` is 0. Only the scaling vectors are carried, M = diag(u) K diag(v). K is exp(L) with
/// powers taken out of each source and destination so that the largest entry of both is 1: no turn
/// scales by more than n, whatever the logits. After `turns` they are taken out again, before what
/// was too small for single precision can have grown to anything that counts.
fn sinkhorn(L[n, n], iters) -> M[n, n] {
  require iters >= 0, "turns are counted from 0";
  const turns = floor(39 / log(max(n - 1, 2)));
  if iters == 0 {
    let M[k,j] = exp(L[k,j]);
  } else {
    let A[k,j] = L[k,j] - stop_gradient(max[i] L[i,j]);
    let b[k]   = stop_gradient(max[j] A[k,j]);
    let G[k,j] = A[k,j] - b[k];
    let K[k,j] = exp(G[k,j]);
    let u[k]   = exp(b[k]), v[j] = 1;
    for part < floor((iters - 1) / turns) + 1 {
      if part > 0 {
        G[k,j] = G[k,j] + stop_gradient(log(u[k]) + log(v[j]));
        K[k,j] = exp(G[k,j]);
        u[k]   = u[k] / stop_gradient(u[k]);
      }
      iterate min(turns, iters - part * turns) {
        v[j] = 1 / sum[k] u[k] * K[k,j];
        u[k] = 1 / sum[j] K[k,j] * v[j];
      }
    }
    let M[k,j] = u[k] * K[k,j] * v[j];
  }
}

/// The same as DeepSeek-V4 computes it: a softmax over destinations, then division by the sums over
/// sources and over destinations in turn; 1e-6 is added to every entry once and to every divisor.
fn sinkhorn_v4(L[n, n], iters, eps = 1e-6) -> M[n, n] {
  let S[k,j] = softmax[k] L[k,j] + eps;
  let M[k,j] = S[k,j] / (sum[i] S[k,i] + eps);
  iterate iters - 1 {
    M[k,j] = M[k,j] / (sum[i] M[i,j] + eps);
    M[k,j] = M[k,j] / (sum[i] M[k,i] + eps);
  }
}

/// The other order, each destination first, each source last: sinkhorn of the transpose, transposed.
fn sinkhorn_transposed(L[n, n], iters) -> M[n, n] {
  let T[j,k] = L[k,j];
  let S      = sinkhorn(T, iters);
  let M[k,j] = S[j,k];
}

/// sinkhorn_transposed in logarithms: slower, and exact for logits of any size.
fn sinkhorn_log(L[n, n], iters) -> M[n, n] {
  let G[k,j] = L[k,j];
  iterate iters {
    G[k,j] = G[k,j] - logsumexp[i] G[k,i];
    G[k,j] = G[k,j] - logsumexp[i] G[i,j];
  }
  let M[k,j] = exp(G[k,j]);
}
