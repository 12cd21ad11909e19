/// A residual whose sum is a gated recurrent unit: the stream is its state, depth its time.
/// x = norm(h);  r = sigmoid(Wr y + Ur h + br + cr), z = sigmoid(Wz y + Uz h + bz + cz),
/// n = tanh(Wn y + bn + r (Un h + cn));  h becomes (1 - z) n + z h
/// Source:   package hyper-connections 0.4.11, GRUGatedResidual; Cho et al. 2014, arXiv:1406.1078.
/// Begins:   all uniform in +-1 / sqrt(d). Decay on all.
/// Cost:     6 d^2 + 6 d parameters, 6 d^2 multiplications.
/// Differs:  the norms of the read and of the end are the connection's here.
/// Use:      for comparison: it costs as much as half a layer. `join = gru_join` brings it to streams
///           that have one.
connection gru_residual(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  let   gru = gru_join(y, h);
  write h = gru;
  end   x = norm(h);
}

/// A gated recurrent unit with input y and state h. W, b are of y, U, c of h: r, z, n in order.
module gru_join : y[d], h[d] -> s[d] {
  param W[3, d, d], U[3, d, d], b[3, d], c[3, d] ~ uniform(-1 / sqrt(d), 1 / sqrt(d));
  let p[g,k] = (sum[a] W[g,k,a] * y[a]) + b[g,k];
  let q[g,k] = (sum[a] U[g,k,a] * h[a]) + c[g,k];
  let r[k]   = sigmoid(p[0,k] + q[0,k]);
  let z[k]   = sigmoid(p[1,k] + q[1,k]);
  let n[k]   = tanh(p[2,k] + r[k] * q[2,k]);
  let s[k]   = (1 - z[k]) * n[k] + z[k] * h[k];
}
