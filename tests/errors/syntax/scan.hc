fn f(x[d]) -> h[d] {
  let h[c < d] = 0;
  scan backwards {                    // expected-error {{`scan { … }`, or `scan reverse { … }`}}
    h[c] = h[c] + x[c];
  }
}
