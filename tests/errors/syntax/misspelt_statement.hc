connection c {
  stat h[d];                // expected-error {{did you mean `state`?}}
  lte a = 3;                // expected-error {{did you mean `let`?}}
  begn h = x;               // expected-error {{did you mean `begin`?}}
  read x = h;
}
