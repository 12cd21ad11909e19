branch unwritten : x[d] -> y[d] {
  let h[c < d] = 0;
  scan {                              // expected-warning {{this loop rebinds nothing}}
    let z[c] = h[c] + x[c];           // expected-warning {{never used}}
  }
  let y[c] = h[c] + x[c];
}
model m {
  const d = 4;
  positions t <= 5;
  input x[t, d] : real;
  let h = trunk(x) { a = residual : unwritten; };
  loss mean[c] h[c]^2;
}
