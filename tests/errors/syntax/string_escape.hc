train t {
  name "a\qb";              // expected-error {{E0102}} {{unknown escape}} {{the escapes are}}
  name "a\n\"b\\";
}
