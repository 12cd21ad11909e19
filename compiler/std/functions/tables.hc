/// Orthonormal columns that span the vectors of sum 0: Helmert's basis.
fn helmert(n) -> Z[n, n - 1] {
  require n >= 2, "one entry leaves no vector of sum 0";
  let Z[i < n, k < n - 1] = select(i <= k, 1, select(i == k + 1, -i, 0)) / sqrt((k + 1) * (k + 2));
}

/// Kronecker's product: entry (i, k), (j, l) is A[i,j] B[k,l].
fn kronecker(A[n, m], B[p, q]) -> C[n * p, m * q] {
  let C[i * p + k, j * q + l] = A[i,j] * B[k,l];
}
