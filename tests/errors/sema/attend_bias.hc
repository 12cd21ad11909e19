// A bias by head and distance.
model m {
  const d = 8;
  positions t <= 16;
  positions (i <= 2, j <= 4);
  input x[t, d] : real;
  input g[i, j, d] : real;
  param B[2, 8], C[3, 9], E[7], F[2, 7, 3] ~ normal(1);
  let X[h < 2, c < 4] = x[4 * h + c];
  let G[h < 2, c < 4] = g[4 * h + c];
  let a = attend(X, X, X, bias = B);    // expected-error {{E0214}} {{the middle entry of the bias is that of distance 0, and of 8 there is none}} {{an odd number}}
  let b = attend(X, X, X, bias = C);    // expected-error {{E0214}} {{a number for each of 2 heads and each distance, or for each distance, not a tensor [3, 9]}}
  let e = attend(X, X, X, bias = F);    // expected-error {{not a tensor [2, 7, 3]}}
  let f = attend(X, X, X, bias = x);    // expected-error {{the middle entry of the bias}}
  let k[c < 7] = x[c];
  let l = attend(X, X, X, bias = k);    // expected-error {{E0215}} {{the bias is the same for all samples and positions}} {{a `mask` of numbers}}
  let o = attend(G, G, G, bias = E);    // expected-error {{E0215}} {{positions of a grid are not one distance apart}}
  let p = attend(X, X, X, bias = 3);    // expected-error {{not a tensor []}}
  let q = attend(X, X, X, causal = true, bias = B);
  let r = attend(X, X, X, bias = true); // expected-error {{E0217}} {{a condition stands where a number is needed}}
  loss mean[c] x[c];
}
