fn f(L[n, n]) -> M[n, n] {
  let M[i,j] = L[i,j];
  iterate 3 {
    M[i,j] = 2 * M[i,j];
    L[i,j] = M[i,j];       // expected-error {{E0223}} {{`L` cannot be rebound}}
    N[i,j] = M[i,j];       // expected-error {{there is no `N` to rebind}} {{begin with `let N... = ...`}}
  }
}
