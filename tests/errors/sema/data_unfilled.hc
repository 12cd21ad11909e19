use std;
model m {
  positions t <= 16;
  input tokens[t] : token(256);
  target next[t] : token(256);
  param E[256, 4] ~ normal(1);
  let x = embed(tokens, E);
  let logits[v] = sum[c] E[v,c] * x[c];
  loss cross_entropy(logits, next);
}
train m {
  data text { tokens[t] = bytes[t]; }   // expected-error {{E0404}} {{nothing fills `next`}} {{next[t] = bytes[t];}}
}
