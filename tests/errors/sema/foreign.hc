// Words of other languages: each is told what is written here.
connection c(n = 4, norm = rmsnorm) {
  state H[n, d];
  param M[n, n]  = eye(n) nodecay;          // expected-error {{unknown function `eye`}} {{write `identity`}}
  param Z[d]     = zeros(d);                // expected-error {{unknown function `zeros`}} {{`param W[d] = 0;`}}
  param O[d]     = ones;                    // expected-error {{unknown name `ones`}} {{a number repeats by itself}}
  param D[d]     ~ ones();                  // expected-error {{E0219}} {{a value stands behind `=`}}
  begin H[i,c]   = x[c];
  let u[c]       = sum[i] h[i,c];           // expected-error {{unknown name `h`}} {{did you mean `H`?}}
  read  x        = norm(u);
  write H[k,c]   = matmul(M, H)[k,c] + y[c];    // expected-error {{unknown function `matmul`}} {{indices say it}}
  let s[c]       = sum[i] where(H[i,c] > 0, H[i,c], 0);  // expected-error {{unknown function `where`}} {{write `select(condition, a, b)`}}
  end   x        = norm(s);
}
fn index(A[n]) -> y { let y = sum[k] K[k] * A[k]; }      // expected-error {{unknown name `K`}}
model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = c : mlp(8, act = leaky_relu); };  // expected-error {{unknown name `leaky_relu`}} {{fn leaky_relu(x) = max(x, 0.01 * x);}}
  let g[c] = detach(x[c]);                  // expected-error {{write `stop_gradient(x)`}}
  loss mse(h, y);
}
