/// X of A X = B by Gauss-Jordan elimination, each step with the largest pivot left in its column.
/// Without pivoting (`pivot = false`) it is cheaper, and safe when A + A^T is positive definite.
/// For small A: the steps are unrolled, and what they leave is kept for the gradient.
fn solve(A[n, n], B[n, m], pivot = true) -> X[n, m] {
  let U[i,j] = A[i,j], V[i,j] = B[i,j];
  for k < n {
    if pivot {
      let p      = argmax[i] select(i < k, -1, abs(U[i,k]));
      let u[j]   = sum[i] onehot(p)[i] * U[i,j], v[j] = sum[i] onehot(p)[i] * V[i,j];
      U[i,j]     = select(i == k, u[j], select(i == p, U[k,j], U[i,j]));
      V[i,j]     = select(i == k, v[j], select(i == p, V[k,j], V[i,j]));
    }
    let f[i] = select(i == k, 0, U[i,k] / U[k,k]);
    U[i,j]   = U[i,j] - f[i] * U[k,j];
    V[i,j]   = V[i,j] - f[i] * V[k,j];
  }
  let X[i,j] = V[i,j] / U[i,i];
}

/// The Cayley transform (I - A) (I + A)^-1: orthogonal for every A = -A^T. -A gives its transpose.
/// Elimination would need no pivots, but loses the 1 beside A's squares where entries are large.
fn cayley(A[n, n]) -> Q[n, n] {
  let P[i,j] = identity[i,j] + A[i,j], N[i,j] = identity[i,j] - A[i,j];
  let Q = solve(P, N);
}
