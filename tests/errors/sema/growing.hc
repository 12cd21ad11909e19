use std;

connection all {
  state X[depth, d];
  begin X[0,c] = x[c];
  let u[c] = sum[j] X[j,c];
  read x = u;
  append X[c] = y[c];
  let s[c] = sum[j] X[j,c];
  end x = s;
}

connection taken(depth = 3) {
  state X[depth, d];         // expected-error {{E0302}} {{`X` grows, so its first extent is a name of its own}} {{`depth` has another meaning here}}
  begin X[0,c] = x[c];
  read x = X[0];
  append X[c] = y[c];
  end x = X[0];
}

connection fixed {
  state X[4, d];             // expected-error {{E0302}} {{its first extent is a name}} {{state X[depth, d];}}
  begin X[0,c] = x[c];
  read x = X[0];
  append X[c] = y[c];
  end x = X[0];
}

connection apart {
  state X[depth, d], K[depth, d];  // expected-error {{`K` holds 2 entries here, but `depth` is 1 already}} {{names of their own}}
  begin X[0,c] = x[c];
  begin K[0,c] = x[c], K[1,c] = 0;
  read x = X[0];
  append X[c] = y[c];
  append K[c] = y[c];
  end x = X[0];
}

connection shapes {
  state X[depth, d], h[d];
  let early[c] = h[c];       // expected-error {{the state `h` has no value before its `begin`}} {{write `begin h}}
  begin X[0,c] = x[c];
  begin h = x;
  read x = h;
  append X[a,c] = y[c];      // expected-error {{E0211}} {{`X` has 1 axis, but 2 are given here}}
  append Y[c] = y[c];        // expected-error {{`append` gives a value to a state, and `Y` is none}}
  end x = h;
}

connection late {
  state X[depth, d];
  begin X[0,c] = x[c];
  let n = depth;
  read x = X[0];
  if n > 1 { append X[c] = y[c]; }  // expected-error {{unknown name `n`}} {{use constants and arguments}}
  else { write X[0,c] = y[c]; }
  end x = X[0];
}

connection never {
  state X[depth, d];         // expected-error {{unknown name `depth`}}
  begin X[0,c] = x[c];
  read x = X[0];
  write X[0,c] = y[c];
  end x = X[0];
}

connection still {
  state X[d];
  begin X = x;
  read x = X;
  write X[c] = X[c] + y[c];
  end x = X;
}

connection stays {
  state X[2, d];
  begin X[i,c] = x[c];
  read x = X[0];
  write X[i,c] = X[i,c] + y[c];
  end x = X[0];
}

model m {
  const d = 8;
  positions t <= 16;
  input x[t, d] : real;
  let h = trunk(x) {
    a = all : linear(d);
    b = still : linear(d);    // expected-error {{`still` keeps `X` [8], but this trunk's state is `X` [2, 8], which grows}}
  };
  let g = trunk(x) {
    a = stays : linear(d);
    b = all : linear(d);      // expected-error {{keeps `X` [2, 8], which grows, but this trunk's state is `X` [2, 8]}}
  };
  loss sum[c] h[c] + g[c];
}
