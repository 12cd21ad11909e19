fn f(x[n]) -> y[n] {
  let P = permutations(x[0]);       // expected-error {{`permutations` takes a constant, not a single value}}
  let Q = permutations(12);         // expected-error {{E0502}} {{12! = 4.79e+08 permutations are too many}}
  let R = permutations(2.5);        // expected-error {{E0207}} {{from 1 to 9, not 2.5}}
  let S = permutations(3);
  let y[i] = x[S[7, 0]];            // expected-error {{reaches entry 7, but the axis of `S` has 6}}
  let z[p, i] = x[240 * S[p, i]];   // expected-error {{reaches entry 240}}
}

model m {
  positions t <= 4;
  input x[t, 3] : real;
  for k < 2 {
    let Z = helmert(k + 1);         // expected-error {{E0229}} {{one entry leaves no vector of sum 0}}
  }
  loss sum[i] x[i];
}
