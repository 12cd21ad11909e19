/// What decides about a write: one mistake, one help.
connection k {
  state h[d];
  begin h = x;
  read x = h;
  if training { write h[c] = h[c] + y[c]; } else { write h = h; }  // expected-error {{E0206}} {{`training` is known when the model runs}} {{write `select(training > 0, a, b)`}}
  end x = h;
}
connection l {
  state h[d];
  begin h = x;
  let s = sum[c] h[c];
  read x = h;
  if s > 0 { write h[c] = h[c] + y[c]; } else { write h = h; }     // expected-error {{E0201}} {{looked at before any `let`}}
  end x = h;
}
model m {
  const d = 4;
  positions t <= 3;
  input x[t, d] : real;
  let h = trunk(x) { a = k : linear(d); };
  let g = trunk(x) { a = l : linear(d); };
  output h;
}
