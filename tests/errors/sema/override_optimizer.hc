// arguments: --set train.weight_decay=-1 --set train.optimizer=sgd --set train.eps=1
// expected-error@* {{`weight_decay` lies between 0}}
// expected-error@* {{`sgd` has no parameter `eps`}}
model m {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}
