connection one {
  state hidden[d];
  begin hidden = x;
  read  x = hidden;
  write hiddne[c] = hidden[c] + y[c];   // expected-error {{E0302}} {{`write` gives a value to a state, and `hiddne` is none}} {{did you mean `hidden`?}}
  end   x = hidden;
}
