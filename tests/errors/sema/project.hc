branch b : x[d] -> y[d] {
  param W[d, d], V[d, d], U[d], S[d] ~ normal(1);
  buffer low[d] = 0;
  update low = low;
  project W[k, c] = W[c, k] * x[c];            // expected-error {{E0225}} {{`W` is held to is made of parameters and numbers alone, and this needs positions}}
  project V[k, c] = V[k, c] * (1 + 0.1 * (random() - 0.5));   // expected-error {{this needs positions}}
  project U[c] = 1;
  project U[c] = low[c];                       // expected-error {{E0225}} {{`trunk.a.U` is held to two constraints}} {{if site == 0}}
  project low[c] = 1;                          // expected-error {{`project` holds a parameter, and `low` is none}} {{write `update low = ...;`}}
  project Q[c] = 1;                            // expected-error {{unknown parameter `Q`}}
  project S[c] = mean[i] V[i, c] * random(each = step);   // expected-error {{this needs random numbers}}
  let y[k] = S[k] + U[k] * sum[c] (W[k, c] + V[k, c]) * x[c];
}
model m {
  const d = 4;
  positions t <= 4;
  input x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { a = residual : b; };
  loss mse(h, z);
}
