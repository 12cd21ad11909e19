// What a position of a causal model must not see, and what it may.
use std;
branch peek : x[d] -> y[d] {
  let z = shift(x, -1);             // expected-error {{E0314}} {{this takes a value from a later position, and the loss depends on it: position 0 would see position 1}} {{in `trunk.c`, an instance of the branch `peek`}} {{`t` are declared causal}} {{as a `target`}}
  let y[c] = x[c] + z[c];
}
branch fine : x[d] -> y[d] {
  param w[3] = 1;
  let v = window(x, 3);
  let y[c] = sum[a] w[a] * v[a,c];
}
/// A loop that carries what differs from position to position, and what does not.
branch solved : x[d] -> y[d] {
  let A[i < d, j < d] = identity[i,j] + 0.1 * tanh(x[i] * x[j]), b[i, j < 1] = x[i];
  let v = solve(A, b, pivot = false);
  let y[c] = v[c,0];
}
/// Its weights come from the whole sequence.
connection looks_ahead : p[d] {
  state h[d];
  param w[d] ~ normal(0.1);
  begin h = x;
  let a    = sigmoid(sum[c] w[c] * p[c]);
  let u[c] = a * h[c];              // expected-error {{what comes back to each position here was summed over all of them, and the loss depends on it: position 0 would see position 15}} {{in `trunk.p.hc`}} {{use what is summed over `t` where there are no positions}} {{summed here}}
  read  x  = u;
  write h[c] = h[c] + y[c];
  end   x  = h;
}
model m {
  const d = 8, heads = 2, vocab = 16;
  positions t <= 16 causal;
  input  tokens[t] : token(vocab);
  input  style[d] : real;           // one a sample: no position is later
  target next[t] : token(vocab);
  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E) + position(t) + style;
  let all[c] = mean[t] x[c];
  let h = trunk(x) {
    p = looks_ahead(all) : linear(d);
    a = residual : attention(heads, causal = true);
    b = residual : attention(heads, causal = false);   // expected-error {{attention that is not causal sees later positions, and the loss depends on it}} {{in `trunk.b`, an instance of the branch `attention`}}
    c = residual : peek;
    e = residual : fine;
    f = residual : solved;
  };
  let q = x;
  iterate 2 {                       // expected-error {{what comes back to each position here was summed over all of them, and the loss depends on it}}
    let far[c] = mean[t] q[c];
    q[c] = 0.5 * q[c] + far[c];
  }
  let near[c] = q[c] * x[c];
  let pooled[c] = mean[t] h[c];
  let g[c] = h[c] + pooled[c];      // expected-error {{what comes back to each position here was summed over all of them, and the metric `accuracy` depends on it}} {{summed here}}
  let later[c] = h[t + 1, c];       // only shown: no error
  probe later;
  let logits[v] = sum[c] E[v,c] * h[c];
  let more[v]   = sum[c] E[v,c] * g[c];
  loss   cross_entropy(logits, next);
  loss   mean[c] near[c];
  metric accuracy(more, next);
}
