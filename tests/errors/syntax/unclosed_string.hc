train t {
  out "runs/a;              // expected-error {{E0104}} {{this string is not closed on its line}}
  name "b";
}
