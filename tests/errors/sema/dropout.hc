// A rate lies between 0 and 1, wherever it is given; one that the model learns is its own affair.
model m {
  const d = 64;
  positions t <= 4;
  input  x[t, d] : real;
  target y[t, d] : real;
  param r = 0;
  let h = trunk(x) {
    a = mhc(dropout = 0.5)
      : mlp(64, dropout = 1);
    b = mhc(dropout = 2)              // expected-error@*  {{E0229}} {{between 0 and 1}} {{in `trunk.b.hc`}} {{`rate` is 2}}
      : mlp(64, dropout = 1.5);       // expected-error@*  {{E0229}} {{in `trunk.b`, an instance of the branch `mlp`}} {{`rate` is 1.5}}
  };
  let z = dropout(h, sigmoid(r));
  let w = dropout(z, -0.1);           // expected-error {{E0229}} {{between 0 and 1}} {{`rate` is -0.1}}
  loss mse(w, y);
}
