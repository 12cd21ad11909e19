// Sites that are written out are refused by what each of them makes, not when memory has run out.
branch busy(n = 8) : x[d] -> y[d] {
  let s[c] = x[c];
  for k < 80 { s[c] = tanh(s[c]); }
  let y[c] = s[c] + n;
}

fn heavy(x[n]) -> y[n] {
  let y[i] = x[i];
  for a < 2000 { y[i] = tanh(y[i]); }
}

fn light(x[n]) -> y[n] {
  let y[i] = x[i];
}

fn often(x[n], many) -> y[n] {
  let y[i] = x[i];
  for a < many { y[i] = tanh(y[i]); }
}

branch uneven(act = light) : x[d] -> y[d] {
  let y = act(x);
}

connection plain() {
  state h[d];
  begin h = x;
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}

model m {
  const d = 4, many = 3;
  input x[d] : real;
  let h = trunk(x) {
    repeat 90000 { a = plain : busy; } // expected-error {{E0502}} {{90000 sites of 330 values each are too many: a network is written with at most 5000000}} {{a trunk is written out site by site}}
  };
  // The first turns and sites are no measure of the others where they choose what is called, or how often.
  let r[i] = x[i], u[i] = x[i];
  for k < 3000 { const f = select(k < 2, heavy, light); r = f(r); }
  for k < 3000 { u = often(u, select(k < 2, 2000, 1)); }
  let g = trunk(x) {
    repeat 3000 { const act = select(block < 2, heavy, light); a = residual : uneven(act = act); }
  };
  let e = trunk(x) { repeat 3000 { a = residual : uneven(act = select(block < 2, heavy, light)); } };
  loss (sum[i] r[i] * u[i] * g[i] * e[i] * h[i]) * many;
}
