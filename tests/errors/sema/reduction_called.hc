// Reductions written as calls.
fn called(A[n, m], v[n]) -> y {
  let a = sum(A, axis = 0);      // expected-error {{E0218}} {{`sum` is no function: it names the indices that it runs over}} {{write `sum[i,j] A[i,j]`}}
  let b = softmax(A);            // expected-error {{E0218}} {{write `let p[i,j] = softmax[j] A[i,j];`}}
  let e = mean(v, dim = -1);     // expected-error {{E0218}} {{write `mean[i] v[i]`}}
  let f = argmax(v);             // expected-error {{E0218}} {{write `argmax[i] v[i]`}}
  let g = max(v);                // expected-error {{E0204}} {{`max[i] x[i]` of the entries of one}}
  let h = min(v, axis = 0);      // expected-error {{E0204}} {{`min` has no parameter `axis`}} {{`min[i] x[i]` of the entries of one}}
  let y = a + b + e + f + g + h;
}
