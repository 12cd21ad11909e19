// Connections by themselves: what a branch gives has to come to where the streams end.
connection unread {           // expected-warning {{E0231}} {{nothing is learnt from what a branch gives at the last site of `unread`}} {{never uses `y`}} {{computed for nothing}}
  state h[d];
  begin h = x;
  read  x = rmsnorm(h);
  write h[c] = h[c];
  end   x = h;
}
connection early {            // expected-warning {{at the last site of `early`}} {{what is made of its result ends here}}
  state h[d];
  begin h = x;
  let u = rmsnorm(h);
  read  x = u;
  write h[c] = h[c] + y[c];
  end   x = u;
}
connection stopped(n = 2) {   // expected-warning {{at the last site of `stopped`}} {{has no derivative}}
  state H[n, d];
  begin H[i,c] = x[c];
  read  x[c] = mean[i] H[i,c];
  write H[i,c] = H[i,c] + floor(y[c]);
  end   x[c] = mean[i] H[i,c];
}
connection penalised {        // what a penalty needs is learnt from
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c];
  penalty mean[c] y[c]^2;
  end   x = h;
}
connection several {
  state h[d];
  begin h = x;
  read  xs[b < branches, c] = h[c];
  write h[c] = h[c] + sum[b] ys[b,c];
  end   x = h;
}
branch gated : x[d] -> y[d], gate {
  param W[d, d] ~ normal(0.1);
  let y[k] = sum[c] W[k,c] * x[c];
  let gate = sigmoid(x[0]);
}
connection named {            // `gate` is another result of the branch
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] * gate + y[c];
  end   x = h;
}
