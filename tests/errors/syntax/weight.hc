model m {
  penalty p weight w;       // expected-error {{E0101}} {{found `weight`}}
  loss p wieght w;          // expected-error {{E0101}} {{expected `;`}}
  loss p weight;            // expected-error {{E0101}} {{expected an expression}}
}
