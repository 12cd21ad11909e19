branch b : x[d] -> y[d] {
  param a = 1 nodeacy;     // expected-error {{E0220}} {{`nodeacy` is not an attribute of parameters}} {{did you mean `nodecay`?}}
  param b = 1 lr;          // expected-error {{`lr` takes one number}}
  param c = 1 freeze(2);   // expected-error {{takes no argument}}
  let y[i] = a * b * c * x[i];
}
