// arguments: --set d=0 --set vocab=1e30 --set deep=ture
// A value from the command line is shown there, once, and takes nothing else down with it.
// expected-error@* {{E0207}} {{`d` is 0}} {{it serves as an extent here}}
// expected-error@* {{E0502}} {{`vocab` is 1e+30}} {{number of tokens}}
// expected-error@* {{E0201}} {{unknown name `ture`}} {{did you mean `true`?}}
use std;
model m {
  const d = 8, vocab = 256, deep = false;
  positions t <= 16;
  input tokens[t] : token(vocab);
  target next[t] : token(vocab);
  param E[vocab, d] ~ normal(0.02), F[vocab, d] ~ normal(0.02);
  let h[c] = embed(tokens, E)[c] + embed(tokens, F)[c] + position(t)[c] + select(deep, 1, 0);
  loss cross_entropy(h, next);
}
train m {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; }
}
