branch b : x[d] -> y[d] {
  let y[c] = x[c] * identity;   // expected-error {{E0216}} {{`identity` needs its indices here}} {{identity[i, j]}}
}
