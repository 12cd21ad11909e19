/// Doubly stochastic scaling: each source first, each destination last (the paper's order).
/// Only the scaling vectors are carried, M = diag(u) K diag(v).
fn sinkhorn(L[n, n], iters) -> M[n, n] {
  let K[k,j] = exp(L[k,j] - stop_gradient(max[i] L[i,j]));
  let u[k] = 1, v[j] = 1;
  iterate iters {
    v[j] = 1 / sum[k] u[k] * K[k,j];
    u[k] = 1 / sum[j] K[k,j] * v[j];
  }
  let M[k,j] = u[k] * K[k,j] * v[j];
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
