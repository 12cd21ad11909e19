train t {
  batch 12 steps 2000;                // expected-error {{found `steps`}}
  data text { tokens[t] bytes[t]; held_out = 0.1; }   // expected-error {{found `bytes`}}
  data { a = b; }                     // expected-error {{expected a name, found `{`}}
  optimizer adamw(lr = );             // expected-error {{expected an expression, found `)`}}
  seed;                               // expected-error {{expected an expression}}
  clip 1.0
  // expected-error@-1 {{expected `;` after the statement, found `}`}}
}
