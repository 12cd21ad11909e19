model m {
  positions t;                        // expected-error {{expected `<=`, found `;`}}
  positions (r <= 8, c);              // expected-error {{expected `<=`, found `)`}}
  positions (r <= 8, c <= 8;          // expected-error {{expected `)`, found `;`}}
  positions (r <= 8, c <= 8);
}
