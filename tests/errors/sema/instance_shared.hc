/// What is handed on is one instance: calls of it agree in shape, and two of one name are told apart.
module wide(out) : x[d] -> y[out] { param W[out, d] ~ normal(0.3); let y[k] = sum[c] W[k,c] * x[c]; }   // expected-error {{`W` is shared, but is [2, 2] here and [2, 4] before}}
fn once(f, x[d]) = f(x);   // expected-error {{two parameters would have the name `f.W`}} {{give the instance a name of its own}}
branch shapes(map = wide(out = 2)) : x[d] -> y[d] {
  let u = map(x);
  let v = map(u);
  let y[c] = x[c] + u[0] + v[0];
}
model m {
  const d = 4, square = wide(out = d);
  input x[d] : real;
  let h = trunk(x) { a = residual : shapes; };
  let z[c] = h[c] + once(square, x)[c] + once(square, x + x)[c];
  output z;
}
