// Every optimiser and schedule takes its own parameters, within their ranges.
model m {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}
train m {
  optimizer sgd(lr = 2e6,              // expected-error {{E0402}} {{`lr` lies between 0 and 1000000}}
                momentum = 1,          // expected-error {{`momentum` lies between 0 and less than 1}}
                betas = (0.9, 0.99),   // expected-error {{E0401}} {{`sgd` has no parameter `betas`}} {{belongs to `adamw`, `lion` and `muon`}} {{it takes: lr, weight_decay, momentum}}
                beta2 = 0.9,           // expected-error {{`sgd` has no parameter `beta2`}}
                eps = 1,               // expected-error {{`sgd` has no parameter `eps`}}
                nesterov = true);      // expected-error {{`sgd` has no parameter `nesterov`}} {{it takes: lr, weight_decay, momentum}}
  schedule constant(10, floor = 0.5);  // expected-error {{`constant` has no parameter `floor`}} {{belongs to `cosine`, `linear` and `wsd`}} {{it takes: warmup}}
  eps 1e-9;                            // expected-error {{`sgd` has no parameter `eps`}}
  decay 0.2;                           // expected-error {{`constant` has no parameter `decay`}} {{belongs to `wsd`}} {{it takes: warmup}}
  seed 2^60;                           // expected-error {{E0402}} {{`seed` is a whole number from 2^53 on}} {{in digits alone}}
  steps 1e13;                          // expected-error {{`steps` lies between 0 and 1e+12}}
  connection_lr -1;                    // expected-error {{`connection_lr` lies between 0 and 1000000}}
  batch 0;                             // expected-error {{`batch` lies between 1 and 1048576}}
}
