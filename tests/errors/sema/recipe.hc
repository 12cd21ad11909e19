use std;
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = residual : linear(d); };
  loss mse(h, y);
}
train m {
  optimizer adma(lr = 1e-3);           // expected-error {{E0402}} {{the optimizer is `adamw`, `sgd`, `lion` or `muon`}}
  schedule cosine(wamrup = 100);       // expected-error {{E0401}} {{`cosine` has no parameter `wamrup`}} {{did you mean `warmup`?}}
  bacth 12;                            // expected-error {{the recipe has no `bacth`}} {{did you mean `batch`?}}
  steps 1.5;                           // expected-error {{`steps` is a whole number}}
  clip -1;                             // expected-error {{`clip` lies between}}
  seed 1; seed 2;                      // expected-error {{E0202}} {{`seed` is set twice}}
}
train n { steps 3; }                   // expected-error {{E0310}} {{there is no model `n` to train}}
