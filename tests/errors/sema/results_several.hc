/// Several results of a call: as many names, or `_`, and no other form.
module both : x[d] -> n[d], g { param W[d] ~ normal(1); let n[c] = W[c] * x[c]; let g = n[0]; }
fn pair(x[d]) -> a[d], b { let a = x; let b = x[0]; }
fn one(x) = x + 1;
connection wanted {
  state h[d];
  begin h = x;
  let y, z, w = branch(h);   // expected-error {{this gives 2 results, and 3 names take them}} {{its results are `n`, `g`}}
  write h[c] = h[c] + y[c] + z + w;
  end x = h;
}
branch two : x[d] -> n[d], g { let n = x; let g = x[0]; }
model m {
  const d = 4;
  input x[d] : real;
  let a = both(x);           // expected-error {{E0222}} {{`both` gives 2 results, and one is taken here}} {{`let n, g = both(...);`, and `_`}}
  let b[c] = pair(x)[c];     // expected-error {{`pair` gives 2 results}}
  let e, f = one(x);         // expected-error {{this gives one result, and several names take it}}
  let g, i, j = both(x);     // expected-error {{this gives 2 results, and 3 names take them}}
  let k[c], l = pair(x);     // expected-error {{taken as they are}} {{take `k` without its indices}}
  let o, _ = pair(x);
  let h = trunk(o) { s = wanted : two; };
  output h;
}
