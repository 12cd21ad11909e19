fn f(x) -> s {
  let s = x * sum[i] 1 / (i + 1);   // expected-error {{E0210}} {{the range of index `i` cannot be told}}
}
fn g(x) -> s {
  let w[a] = exp(-a);      // expected-error {{the range of index `a` cannot be told}} {{give it on the left}}
  let s = x * sum[i] w[i];
}
