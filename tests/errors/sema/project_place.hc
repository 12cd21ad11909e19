branch b : x[d] -> y[d] {
  param S[d] ~ normal(1);
  iterate 2 {
    project S = S;                             // expected-error {{E0106}} {{`project` belongs in a connection, branch, module or model}}
  }
  let y[k] = S[k] * x[k];
}
fn f(x) -> y {
  project x = 1;                               // expected-error {{E0106}}
  let y = x;
}
