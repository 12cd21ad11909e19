model m {
  const d = 8;
  positions t <= 4;
  input  x[t, d] : real;
  target z[t, d] : real;
  let a = 2 * trunk(x) { }; // expected-error {{a trunk is a value of its own}}
  let b = trunk(x y) {      // expected-error {{found `y`}}
    repeat 2 {
      s = residual 3 : mlp; // expected-error {{found `3`}}
    }
  };
  let c = trunk x { };      // expected-error {{expected `(`, found `x`}}
  loss mse(b, z);
}
