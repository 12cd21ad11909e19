/// How a site's branches begin.
connection several {
  state h[d];
  begin h = x, branch = 0.5;
  begin branch = 2;                     // expected-error {{E0202}} {{how the branch begins is said twice}} {{the first time}}
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
connection less {
  state h[d];
  begin h = x, branch = -0.5;           // expected-error {{E0219}} {{is not negative, and this is -0.5}}
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
connection late {
  state h[d];
  begin h = x, branch = h[0];           // expected-error {{`h` is not known before the model runs}}
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
connection entries {
  state h[d];
  begin h = x, branch[0] = 0.5;         // expected-error {{all branches of a site begin alike: `begin branch = 0.5;`}} {{said where it is defined}}
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
connection unbegun {
  state h[d];                           // expected-error {{nothing says how the state `h` begins}}
  begin branch = 0.5;
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
connection misspelt {
  state h[d];
  begin h = x, brunch = 0.5;            // expected-error {{`begin` gives a value to a state, and `brunch` is none}}
  read x = h;
  write h[c] = h[c] + y[c];
  end x = h;
}
model m {
  const d = 4;
  input x[d] : real;
  let a = trunk(x) { s = several : linear(d); };
  let b = trunk(x) { s = less : linear(d); };
  let e = trunk(x) { s = late : linear(d); };
  let f = trunk(x) { s = entries : linear(d); };
  let g = trunk(x) { s = unbegun : linear(d); };
  let h = trunk(x) { s = misspelt : linear(d); };
  output a;
}
