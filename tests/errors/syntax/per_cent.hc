model m {
  input x : real;
  target y : real;
  param a = 1;
  loss (a * x - y)^2;
}
train m {
  data table { x = columns[0]; y = columns[1]; held_out = 10%; }   // expected-error {{expected an expression, found `;`}} {{a fraction is written as one: `0.1`}}
  optimizer adamw(lr = 1e-3, betas = [0.9, 0.99]);                 // expected-error {{`betas` are two numbers: `(0.9, 0.99)`}}
  schedule cosine(warmup = 2.5%);                                  // expected-error {{expected an expression, found `)`}} {{`0.025`}}
}

