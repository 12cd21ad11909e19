use std;

/// Sinkhorn's scaling alone: a matrix a position; 20 iterations of sources, then destinations.
model sinkhorn_alone {
  const count = 8192, n = 4, iters = 20, scaling = sinkhorn;
  positions t <= count;
  input  L[t, n, n] : real;
  target G[t, n, n] : real;           // the gradient that comes back, as good as any
  param A[n, n] = 0;                  // so that there is one
  let Z[k,j] = L[k,j] + A[k,j];
  let M      = scaling(Z, iters);
  probe M;
  loss sum[k,j] G[k,j] * M[k,j];
}

train sinkhorn_alone { batch 1; }
