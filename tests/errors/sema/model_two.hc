model one {                // expected-error {{E0310}} {{2 models; say which}} {{`one`, `two`}}
  positions t <= 16;
  input x[t] : real;
  loss x;
}
model two {
  positions t <= 16;
  input x[t] : real;
  loss x;
}
