// Weights of a sum over streams that sum to one over something else.
use std;
connection shared_out(n = 4) {
  state H[n, d];
  param R[n, n] ~ normal(0.1);
  begin H[i,c] = x[c];
  let M[k,j]   = softmax[k] R[k,j];                // over the destinations
  let a[i]     = softmax[i] R[i,0];
  let u[c]     = sum[i] a[i] * H[i,c];             // a mixture
  read  x      = u;
  write H[k,c] = sum[j] M[k,j] * H[j,c] + y[c];    // expected-warning {{E0308}} {{the weights of this sum over streams do not sum to one}} {{normalised here}} {{over the index of the sum}}
  let s[c]     = sum[i] H[i,c];
  end   x      = s;
}
connection transposed(n = 4) {
  state H[n, d];
  param R[n, n] ~ normal(0.1);
  begin H[i,c] = x[c];
  let M[k,j]   = softmax[j] R[k,j];
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H[k,c] = sum[j] M[j,k] * H[j,c] + y[c];    // expected-warning {{E0308}}
  let s[c]     = sum[i] H[i,c];
  end   x      = s;
}
connection by_hand(n = 4) {
  state H[n, d];
  param R[n, n], Q[n] ~ normal(0.1);
  begin H[i,c] = x[c];
  let K[i,c]   = exp(Q[i] * H[i,c]);
  let p[i,c]   = K[i,c] / sum[a] K[i,a];           // over the features, and the streams are summed
  let u[c]     = sum[i] p[i,c] * H[i,c];           // expected-warning {{E0308}}
  read  x      = u;
  let S[k,j]   = exp(R[k,j]);
  let M[k,j]   = S[k,j] / sum[i] S[k,i];           // as it should be
  let b[k]     = softmax[k] Q[k];                  // no sum over streams: whatever is wanted
  write H[k,c] = sum[j] M[k,j] * H[j,c] + b[k] * y[c];
  let s[c]     = sum[i] H[i,c];
  end   x      = s;
}
connection doubly(n = 4) {
  state H[n, d];
  param R[n, n] ~ normal(0.1);
  begin H[i,c] = x[c];
  let M        = sinkhorn(R, 5);
  let u[c]     = sum[i] H[i,c];
  read  x      = u;
  write H[k,c] = sum[j] M[j,k] * H[j,c] + y[c];
  let s[c]     = sum[i] H[i,c];
  end   x      = s;
}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    repeat 2 { a = shared_out : linear(d); b = transposed : linear(d); c = by_hand : linear(d); e = doubly : linear(d); }
  };
  loss mse(h, y);
}
