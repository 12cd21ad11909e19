// arguments: --set train.betas=(1,0.5) --set train.beta2=-0.1 --set train.momentum=0.5 --set train.floor=0.5
// expected-error@* {{`beta1` lies between 0 and less than 1}}
// expected-error@* {{`beta2` lies between 0 and less than 1, this is -0.1}}
// expected-error@* {{E0401}} {{`adamw` has no parameter `momentum`}} {{belongs to `sgd` and `muon`}} {{it takes: lr, beta1, beta2, eps, weight_decay, betas}}
// expected-error@* {{`constant` has no parameter `floor`}}
model m {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}
