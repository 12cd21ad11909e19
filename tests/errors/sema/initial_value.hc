branch b : x[d] -> y[d] {
  param a[4] = identity;   // expected-error {{E0219}} {{`identity` has 2 axes, but the parameter has 1}}
  param b[4];              // expected-error {{`b` has no initial value}} {{~ normal(0.02)}}
  param c[4] ~ nromal(1);  // expected-error {{`~` takes a distribution}} {{did you mean `normal`?}}
  param e[4] ~ uniform(1); // expected-error {{`uniform` takes its low and high ends}}
  param f[4] = 1 / 0;      // expected-error {{not a finite number}}
  param g[4] ~ normal(-1); // expected-error {{a deviation is not negative}}
  let y[i] = x[i] + sum[k] a[k] + sum[k] b[k] + sum[k] c[k] + sum[k] e[k] + sum[k] f[k] + sum[k] g[k];
}
