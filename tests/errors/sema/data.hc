use std;
model m {
  positions t <= 16;
  input tokens[t] : token(256);
  target next[t] : token(100);
  param E[256, 4] ~ normal(1);
  let x = embed(tokens, E);
  let logits[v] = sum[c] E[v,c] * x[c];
  loss cross_entropy(logits, next);
}
train m {
  data text {
    token[t] = bytes[t];        // expected-error {{E0404}} {{no input or target `token`}} {{did you mean `tokens`?}}
    tokens[t] = words[t];       // expected-error {{have `bytes`, not `words`}}
    next[t] = bytes[t + 1];     // expected-error {{bytes run to 256, but `next` takes tokens below 100}}
    held_out = 2;               // expected-error {{`held_out` is a fraction}}
  }
}
