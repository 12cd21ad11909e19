fn f(x, y) -> z {
  let a = tanh(x;           // expected-error {{E0104}} {{expected `)`, found `;`}} {{opened here}}
  let b = max(a, (x + y);   // expected-error {{expected `)`, found `;`}}
  let c = exp(b             // expected-error {{expected `)`, found `let`}}
  let z = c;
}
