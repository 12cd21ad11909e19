/// A's inverse by Gauss-Jordan elimination in place, each step with the largest pivot left in its column.
/// Without pivoting (`pivot = false`) it is cheaper, and safe when A + A^T is positive definite.
/// For small A. The steps have no gradient: a step of Newton's, W + W (1 - A W), which changes nothing where
/// W is the inverse, has the inverse's, and mends what elimination rounded.
fn inverse(A[n, n], pivot = true) -> X[n, n] {
  let U[i,j] = stop_gradient(A[i,j]);
  let used[i < n] = 0, row[i < n] = i;          // row[k]: the pivot's, of step k
  iterate n {
    let k = sum[i] used[i];
    let at[i < n] = select(i == k, 1, 0);
    let c[i] = sum[j] U[i,j] * at[j];
    if pivot {
      let p = argmax[i] select(used[i] > 0, -1, abs(c[i]));
      let s[i < n] = onehot(p)[i];
      row[i]  = select(i == k, p, row[i]);
    } else {
      let s = at;
    }
    let w    = sum[i] s[i] * c[i];
    let u[j] = (select(j == k, 1, sum[i] s[i] * U[i,j])) / w;
    U[i,j]   = select(s[i] > 0, u[j], select(j == k, 0, U[i,j]) - c[i] * u[j]);
    used[i]  = used[i] + s[i];
  }
  if pivot {
    let T[k,i < n] = select(row[k] == i, 1, 0);
    let R[i,k] = sum[a] T[i,a] * U[a,k];
    let W[i,j] = sum[k] R[i,k] * T[k,j];
  } else {
    let W = U;
  }
  let E[i,j] = identity[i,j] - sum[k] A[i,k] * W[k,j];
  let X[i,j] = W[i,j] + sum[k] W[i,k] * E[k,j];
}

/// X of A X = B, by A's inverse.
fn solve(A[n, n], B[n, m], pivot = true) -> X[n, m] {
  let V = inverse(A, pivot);
  let X[i,j] = sum[k] V[i,k] * B[k,j];
}

/// The Cayley transform (I - A) (I + A)^-1 = 2 (I + A)^-1 - I: orthogonal for every A = -A^T. -A gives its
/// transpose. Elimination would need no pivots, but loses the 1 beside A's squares where entries are large.
fn cayley(A[n, n]) -> Q[n, n] {
  let P[i,j] = identity[i,j] + A[i,j];
  let V = inverse(P);
  let Q[i,j] = 2 * V[i,j] - identity[i,j];
}
