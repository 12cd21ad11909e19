fn f(x[n]) -> y {
  let y = max[i] (softmax[k] x[k]);   // expected-error {{E0209}} {{`softmax` keeps its index, and `k` is not bound}} {{on the left side}}
}
