// Definitions that nobody uses, whose conditions ask for arguments that nobody gives: what holds on one
// side or the other is there.
fn pick(a, flag) -> r {
  if flag == 1 { let r = a; } else { let r = 2 * a; }
}
fn nested(a[n], first, second) -> r[n] {
  let twice[c] = 2 * a[c];
  if first {
    let r = twice;
  } else if second {
    const k = 3;
    let q = a, r[c] = k * q[c];
  }
  let s[c] = r[c] * missing;       // expected-error {{E0201}} {{unknown name `missing`}}
}
module affine(out, deep) : x[d] -> y[out] {
  param W[out, d] ~ normal(0.02);
  if deep {
    param V[d, d] ~ normal(1);
    let h[k] = sum[c] V[k,c] * x[c];
  } else {
    let h = x;
  }
  let y[k] = sum[c] W[k,c] * h[c];
}
fn neither(a, flag) -> r {         // expected-error {{E0222}} {{`neither` never defines its result `r`}}
  if flag { let q = a; } else { let z = 2 * a; }
}
model m {
  input x[3] : real;
  output x;
}
