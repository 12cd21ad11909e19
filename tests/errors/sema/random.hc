const r = random();                            // expected-error {{E0206}} {{a random number is drawn when the model runs}}

branch b : x[d] -> y[d] {
  let u[i] = random();                         // expected-error {{E0210}} {{the range of index `i` cannot be told}} {{random(x)}}
  let v = 1;
  iterate 3 {
    v = v * random();                          // expected-error {{E0218}} {{`random` cannot stand in `iterate`}} {{`for`}}
  }
  let z = 1;
  iterate 2 {
    z = z + batch_mean(x[0]);                  // expected-error {{E0218}} {{`batch_mean` cannot stand in `iterate`}}
  }
  let w = random(x, x);                        // expected-error {{E0205}} {{`each` is `position`, `sample` or `step`}}
  let a = random(each = head);                 // expected-error {{`each` is `position`, `sample` or `step`}}
  let y[c] = v * x[c];
}

branch c : x[d] -> y[d] {
  if training > 0 {                            // expected-error {{E0206}} {{`training` is known when the model runs}} {{select(training > 0, a, b)}}
    let y = x;
  }
  if step < steps { let z = x; }               // expected-error {{E0206}} {{`step` is known when the model runs}} {{select(step < 100, a, b)}} expected-error {{`steps` is known when the model runs}}
  param p[d] = training;                       // expected-error {{E0206}} {{`training` is known when the model runs}}
  let y[c] = p[c] * x[c];
}
