use std;

connection counts_y(inner = residual) {
  around inner;
  param g = 1;
  write z[c] = g * y[c];            // expected-error {{E0302}} {{`write` gives a value to a state of `counts_y` or to what its branch gave, and `z` is neither}} {{what the branch gave is `y`}}
}
connection twice_around(inner = residual) {
  around inner;
  around mhc;                       // expected-error {{E0301}} {{a connection is around one other}}
}
connection late(inner = residual) {
  state e[d];
  begin e = x;
  read x = e;
  around inner;                     // expected-error {{`around` stands before what is read and written}}
  write e[c] = e[c] + y[c];
}
connection none {
  state h[d];
  begin h = x;
  read x = h;
  write each old, new = new;        // expected-error {{E0301}} {{`write each` is for what a connection inside writes}}
  write h[c] = h[c] + y[c];
  end x = h;
}
connection same_name(inner = residual) {
  around inner;
  state h[d];                       // expected-error {{E0302}} {{the state `h` is kept by a connection and by one inside it}} {{give one of them another name}}
  begin h = x;
  write h[c] = h[c] + y[c];
}
connection other_shape(inner = residual) {
  around inner;
  write each old, new = 0;          // expected-error {{E0214}} {{`h` is [240], this is []}}
}
connection too_early(inner = residual) {
  around inner;
  write each old, new = new;        // expected-error {{`write each` stands behind the last `read` and what is written as `y`}}
  write y = y;
}
connection unknown(inner = residual) {
  around inner;
  let z = inner.H;                  // expected-error {{E0201}} {{`inner` has no `H`}} {{it has `x`, }}
  write y[c] = y[c] * z[c];
}
connection no_connection(inner = 3) {
  around inner;                     // expected-error {{E0305}} {{a connection is needed here, but this is}}
}
connection of_sum(inner = residual) {
  around inner + inner;             // expected-error {{E0305}} {{a connection is a name, perhaps with arguments}}
}
connection fed(inner = residual) : z[e] {
  around feeding(z);                // expected-error {{E0304}} {{`feeding` needs its input `w`}}
}
connection feeding : z[e], w[e] {
  state h[d];
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c] * (sum[a] z[a] * w[a]);
  end x = h;
}
connection forever(inner = forever) {
  around inner;                     // expected-error {{E0501}} {{`forever` is used at the end of 64 definitions}}
}
connection eased(inner = residual, k = 0.5) {
  around inner;
  write each old, new = old + k * (new - old);   // expected-error {{E0302}} {{`X` gets an entry more at this site, which has no old value}} {{`write y[c] = ...;`}}
}
connection blended(inner = residual) {
  around inner;
  write each old, new = 0.5 * (old + new);       // expected-error {{E0302}} {{`h` gets another width at this site}}
}
connection softer(inner = residual) {
  around inner;                     // expected-error {{E0301}} {{`heun` calls its branch itself, so `softer` around it cannot change what that gives}} {{write each old, new = ...}}
  write y[c] = 0.5 * y[c];
}
connection heun(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let k      = branch(norm(h));
  write h[c] = h[c] + k[c];
  end x = norm(h);
}
connection grows {
  state X[depth, d];
  begin X[0,c] = x[c];
  read x = X[depth - 1];
  append X[c] = y[c];
  end x = X[0];
}
connection wider {
  state h[d];
  begin h = x;
  read x = h;
  write h[c < extent(y)] = y[c];
  end x = h;
}
connection each {
  state h[d];
  begin h = x;
  read x = h;
  write h[c] = h[c] + sum[b] ys[b,c];
  end x = h;
}
connection sums(inner = each) {
  around inner;
  write y[c] = 0.5 * y[c];          // expected-error {{the connection inside takes what each branch gives, `ys`}} {{write `ys[b, c]`}}
}
fn around(a) = a;                   // a name elsewhere

model m {
  const d = 4;
  positions t <= 16;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { a = eased(inner = grows) : linear(d); };
  let g = trunk(x) { a = blended(inner = wider) : linear(2 * d); };
  let k = trunk(x) { a = softer(inner = heun) : linear(d); };
  let n = trunk(x) { a = counts_y : linear(d); };
  let e = trunk(x) { a = sums : linear(d) & linear(d); };
  loss mse(h, y) + around(mse(k, y));
}
