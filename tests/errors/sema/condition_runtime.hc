branch b : x[d] -> y[d] {
  if x > 0 {               // expected-error {{E0206}} {{`x` is not known before the model runs}}
    let z = x;
  }
  let y = x;
}
