/// GRUGatedResidual: weights as torch.nn.GRUCell has them, those of r, z and n below one another.
connection gru {
  state h[d];
  param weight_ih[3 * d, d], weight_hh[3 * d, d] = 0;
  param bias_ih[3 * d], bias_hh[3 * d] = 0;
  begin h = x;
  read  x = h;
  let p[q] = (sum[a] weight_ih[q,a] * y[a]) + bias_ih[q];
  let g[q] = (sum[a] weight_hh[q,a] * h[a]) + bias_hh[q];
  let r[k < d] = sigmoid(p[k] + g[k]);
  let z[k < d] = sigmoid(p[d + k] + g[d + k]);
  let n[k < d] = tanh(p[2*d + k] + r[k] * g[2*d + k]);
  write h[k] = (1 - z[k]) * n[k] + z[k] * h[k];
  end   x = h;
}

/// GatedResidual: one gate, or one for each feature; a row of `weight` is for y and then for h.
connection gated(gates = 1) {
  state h[d];
  param weight[gates, 2 * d], bias[gates] = 0;
  begin h = x;
  read  x = h;
  let s[i < gates] = (sum[c < d] weight[i, c] * y[c]) + (sum[c < d] weight[i, d + c] * h[c]) + bias[i];
  write h[c] = y[c] + sigmoid(s[c % gates]) * (h[c] - y[c]);
  end   x = h;
}

/// OrthogonalResidualUpdate.
connection orthogonal {
  state h[d];
  begin h = x;
  read  x = h;
  write h = orthogonal_join(y, h);
  end   x = h;
}

/// MVSplitResidualUpdate: all positions of a sample in one vector, so that the mean over them is a sum.
connection mean_apart(places = 1) {
  const e = d / places;
  state h[d];
  param alpha[e] = 0, beta[e] = 0.03;
  begin h = x;
  read  x = h;
  let Y[t < places, c < e] = y[t*e + c];
  let G[t < places, c < e] = h[t*e + c];
  let my[c] = mean[t] Y[t,c];
  let mh[c] = mean[t] G[t,c];
  let z[t < places, c < e] = G[t,c] + beta[c] * (Y[t,c] - my[c]) + alpha[c] * (my[c] - mh[c]);
  let w[t*e + c] = z[t,c];
  write h = w;
  end   x = h;
}
