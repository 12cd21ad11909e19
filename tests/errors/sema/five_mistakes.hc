// Five mistakes, one message each.
use std;
connection mine(n = 4, norm = rmsnorm) {
  state H[n, d];
  param A[n] = onehot(site % n) nodecay;
  begin H[i,c] = x[c];
  let u[c] = sum[i] A[i] * H[i,c];
  read x = nrom(u);                        // expected-error {{unknown function `nrom`}} {{did you mean `norm`?}}
  write H[k,c] = H[k,c] + B[k] * y[c];     // expected-error {{unknown name `B`}}
  let s[c] = sum[i] H[i,c];
  end x = norm(s);
}
model m {
  const d = 8, classes = 5;
  positions t <= 16;
  input x[t, d] : real;
  target y[t] : token(classes);
  param E[classes, d + 1] ~ normal(0.02);
  let h = trunk(x) { a = residual : linear(d); };
  let logits[v] = sum[c] E[v,c] * h[c];    // expected-error {{`c` ranges over 9, but this axis of `h` has 8}}
  loss cross_entropy(logits, y);
}
train m {
  optimizer adamw(lr = "fast");            // expected-error {{`lr` is a number, not a text}}
  batches 12;                              // expected-error {{the recipe has no `batches`}} {{did you mean `batch`?}}
}
