model m {
  positions t <= 16;
  input x[t] : tokne(8);   // expected-error {{E0313}} {{token(count)}} {{did you mean `token`?}}
  input z[s] : real;       // expected-error {{E0312}} {{`s` is no position}}
  loss x;
}
