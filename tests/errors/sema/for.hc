fn f(L[n, n], x[n]) -> y[n] {
  let y[i] = x[i];
  for k < n {
    let w = tanh(y[k]);
    y[k] = w;
    L[k, k] = 1;            // expected-error {{E0223}} {{`L` cannot be rebound}}
    z = w;                  // expected-error {{there is no `z` to rebind}} {{before the loop}}
  }
  for k < 3 {
    let v = w;              // expected-error {{unknown name `w`}}
    y[i] = v * x[i];
  }
}

fn g(x[n]) -> y[n] {
  let y[i] = x[i], k = 3, a = 2;
  let B[i < 3] = i, T[i < 3] = a * B[i];
  for k < n { y[k] = 0; }   // expected-error {{E0202}} {{`k` has a meaning here already}} {{another name}}
  for j < x[0] { y[j] = 1; } // expected-error {{not known before the model runs}}
  for j < 0.5 { y[j] = 1; } // expected-error {{the number of turns is 0.5}}
  for j < 2 { a = a + 1; }
  for j < 2 {
    let s = sum[j] x[j];    // expected-error {{`j` is a constant here}}
    y[j] = s;
  }
  let z[i < 3] = x[T[i]];   // expected-error {{`T` was defined with an earlier value of `a`}} {{define the table after the loop}}
}

fn h(x[n]) -> y[n] {
  let y[i] = x[i];
  for j < 3 { y[j] = x[j + n - 2]; }  // expected-error {{E0212}} {{reaches entry 240}}
}
