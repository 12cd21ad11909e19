connection c {
  param a[n] = 1 nodecay, b[n] = 2;   // expected-error {{expected an attribute}} {{found `,`}} {{attributes come last}}
  param c[n] ~ 2 * 3;                 // expected-error {{expected a distribution after `~`}}
  param = 3;                          // expected-error {{expected a name, found `=`}}
  param e[n] = 1 lr();                // expected-error {{expected an expression, found `)`}}
  param f[n], g[n] ~ normal(0.02) freeze lr(0.1);
}
