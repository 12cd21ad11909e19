/// What a connection asks of its site, and defaults that are numbers.
connection asking(n = 1) {
  state h[d];
  begin h = x;
  let a = select(takes(h[0]), 1, 2);      // expected-error {{E0205}} {{`takes` is asked for a name, as it is written: `takes(v)`}}
  let b = select(gives("gate"), 1, 2);    // expected-error {{`gives` is asked for a name}}
  let c = takes(q, v);                    // expected-error {{`takes` takes 1 argument, not 2}}
  let e = 2 * gives(y);                   // expected-error {{E0217}} {{write `select(condition, 1, 0)`}}
  if takes(v0) { read x = h, v0 = h; } else { read x = h; }
  write h[c] = h[c] + y[c] + a + b + e;
  end x = h;
}
branch plain : x[d] -> y[d] {              // expected-error {{E0222}} {{never defines its result `y`}}
  if takes(x) { let y = x; } else { let y = x; }  // expected-error {{E0218}} {{`takes` is known only inside a connection: it is of what stands at its site}}
}
connection told : z[d, e] = true, w[e] = 1 {  // expected-error {{E0214}} {{input `z` has 2 axes, but this has 0}} {{`b.s.hc`}}
  state h[d];
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c] * w[0] + z[c,0];
  end x = h;
}
module wide : x[d], z[d / 3] = 0 -> y[d] { let y[c] = x[c] + z[0]; }  // expected-error {{an extent is 2.666666667, but must be a whole number}}
model m {
  const d = 8, e = 4;
  positions t <= 4;
  input x[t, d] : real;
  let a = trunk(x) { s = asking : plain; };
  let b = trunk(x) { s = told : linear(d); };
  let c = wide(x);
  let k[i] = gives(y);                    // expected-error {{`gives` is known only inside a connection}}
  output a;
}
