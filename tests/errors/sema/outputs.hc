model m {
  positions t <= 16;
  input x[t, 4] : real;
  let a[c] = 2 * x[c];
  output a;
  output a;                // expected-error {{E0202}} {{`a` is an output already}}
  output a + 1;            // expected-error {{E0316}} {{a value with a name}}
  output b;                // expected-error {{E0201}} {{unknown name `b`}}
}
