use std;

connection streams(n = 2, norm = rmsnorm) {
  state H[n, d];
  param L[n, n] = 0;
  begin H[i,c] = x[c];
  let u[c] = sum[i] H[i,c];
  read x = norm(u);
  let M[k,j] = softmax[j] L[k,j];
  write H[k,c] = (sum[j] M[k,j] * H[j,c]) + y[c];
  let s[c] = sum[i] H[i,c];
  end x = norm(s);
}

fn of(h[d]) = h.first.y;       // expected-error {{E0205}} {{`h` is a tensor [240], and a point asks what a trunk had}} {{`h.attn[2].y`}}

model m {
  const d = 8, blocks = 3;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    first = streams : linear(d);
    repeat blocks { a = streams : linear(d); repeat 2 { b = streams : linear(d); } }
  };
  let a = h.a;                 // expected-error {{E0205}} {{`h.a` is a site of a trunk}} {{such as `y`}}
  let b = h.a[3].y;            // expected-error {{E0212}} {{no site `a` in these turns}} {{there is `a[0]` to `a[2]`}}
  let c = h.a.y;               // expected-error {{no site `a` outside its repeats}} {{there is `a[0]` to `a[2]`}}
  let e = h.b[1].y;            // expected-error {{no site `b` in these turns}} {{there is `b[0, 0]` to `b[2, 1]`}}
  let f = h.c[1].y;            // expected-error {{E0201}} {{the trunk `h` has no site `c`}} {{it has `first`, `a`, `b`; `h.state` are its states}}
  let g = h.a[1].N;            // expected-error {{E0201}} {{`h.a` has no `N`}} {{it has `x`, `H`, `y`, `L`, `u`, `M`}}
  let i = h.state.K;           // expected-error {{`h.state` has no `K`}} {{it has `H`}}
  let j = h.state;             // expected-error {{`h.state` are the states of a trunk: behind a point stands which one}}
  let k = h.state[1].H;        // expected-error {{E0211}} {{a trunk's states have no turns}}
  let l = h.first.y.x;         // expected-error {{`h.first.y` is a value, and has no parts}}
  let o[c] = sum[k < 3] h.a[k].y[c];  // expected-error {{index `k` has no value here}} {{turn by turn in a loop}}
  let p[c] = h.a[0].H[c];      // expected-error {{E0211}} {{this value has 2 axes, and 1 was given}}
  if h.a[0].y { }              // expected-error {{E0206}} {{`h.a.y` is not known before the model runs}}
  let r = z.a.y;               // expected-error {{E0201}} {{unknown name `z`}}
  let s = a + h.a[0].y;
  let u = x.first;             // expected-error {{`x` is a tensor [8]}}
  loss mse(h, y);
}
