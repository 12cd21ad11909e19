branch b : x[d] -> y[d] {
  param a = 1 nodeacy;     // expected-error {{E0220}} {{`nodeacy` is not an attribute of parameters}} {{did you mean `nodecay`?}}
  param b = 1 lr;          // expected-error {{`lr` takes one number}}
  param c = 1 freeze(2);   // expected-error {{takes no argument}}
  param e[2] = 1 apart;    // expected-error {{`apart` takes the number of an axis}}
  param f[2] = 1 apart(1); // expected-error {{an axis is 1, but must lie between 0 and 0}}
  param g = 1 apart(0);    // expected-error {{a number has no axis that could be apart}}
  param j = 1 large;       // expected-error {{`large` is not an attribute of parameters}} {{`apart(0)` and `shared`}}
  param k = 1 shared(1, 2);   // expected-error {{E0220}} {{`shared` takes the number of a group at most: `shared(floor(block / 2))`}}
  param l = 1 shared(0.5);    // expected-error {{the number of a group is 0.5, but must be a whole number}}
  param o = 1 shared(x[0]);   // expected-error {{`x` is not known before the model runs}}
  buffer p = 1 shared(-1);    // expected-error {{the number of a group is -1, but must lie between 0}}
  let y[i] = a * b * c * x[i];
}
