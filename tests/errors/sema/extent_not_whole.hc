model m {
  const d = 10, heads = 4;
  positions t <= 16;
  input tokens[t] : token(8);
  target next[t] : token(8);
  param E[8, d] ~ normal(0.02);
  let x = embed(tokens, E);
  let h = trunk(x) { a = residual : halves(heads); }; // expected-error@+5 {{E0207}} {{2.5}} {{in `trunk.a`, an instance of the branch `halves`}}
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
branch halves(heads) : x[d] -> y[d] {
  const e = d / heads;
  param W[heads, e] = 1;
  let y[c] = x[c] * W[0, 0];
}
