use std;
model m {
  positions t <= 16;
  input tokens[t] : token(50257);
  target next[t] : token(100);
  param E[50257, 4] ~ normal(1);
  let x = embed(tokens, E);
  let logits[v < 100] = sum[c] E[v,c] * x[c];
  loss cross_entropy(logits, next);
}
train m {
  data tokens {
    tokens[t] = bytes[t];       // expected-error {{`tokens` data have `tokens`, not `bytes`}}
    next      = tokens;         // expected-error {{data are bound as `next[t] = tokens[t]`}}
    nex[t]    = tokens[t];      // expected-error {{no input or target `nex`}} {{did you mean `next`?}}
    widht     = 16;             // expected-error {{no input or target `widht`}} {{did you mean `width`?}}
    width     = 24;             // expected-error {{tokens have 16 bits, or 32}}
    header    = true;           // expected-error {{`header` belongs to `table` data}}
    train     = files(images = "a.bin");    // expected-error {{files of `tokens` data hold all streams}}
    held_out  = shuffled(0.1);  // expected-error {{`tokens` data are held out at their end, in one piece}}
  }
}
