model m {
  positions t <= 16;
  positions u <= 16;
  input a[t] : real;
  input b[u] : real;
  loss a * b;              // expected-error {{E0215}} {{one operand lives at positions `t`, the other at `u`}} {{mean[t]}}
}
