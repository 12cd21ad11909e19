// expected-error@* {{`random` cannot stand in `iterate`}} {{write the loop out with `for`}}
/// Calls of a site's branch where there can be none, and with what it does not take.
connection early {
  state h[d];
  begin h = branch(x);  // expected-error {{E0218}} {{cannot be called in `begin`}} {{in a `let` or a `write`}}
  carry s[d] = branch(h);  // expected-error {{for what a carry begins with}}
  let y = branch(h);
  write h[c] = h[c] + y[c] + s[c];
  let z = branch(h);  // expected-error {{behind the last `write`}} {{call it above}}
  end x = branch(z);  // expected-error {{behind the last `write`}}
}
connection misread {
  state h[d];
  begin h = x;
  let u = branch(h);
  write h[c] = h[c] + y[c] + u[c];  // expected-error {{`y` is what branches give for `read`s}} {{let y = branch(...);}}
  end x = h;
}
connection counted(n = 2) {
  state h[d];
  begin h = x;
  const k = branch(h);  // expected-error {{what a branch gives is no constant}} expected-error {{`h` is not known before the model runs}}
  let a = branch[2](h);  // expected-error {{which branch is called is 2, but must lie between 0 and 1}}
  let b[i] = sum[j < 2] branch[j](h)[i];  // expected-error {{for b < branches}}
  let e = branch[0, 1](h);  // expected-error {{called by one number}}
  let g = h[0](h);  // expected-error {{`h` is a single value and cannot be called}}
  write h[c] = h[c] + a[c] + b[c] + e[c] + g;
  end x = h;
}
connection several {
  state h[d];
  begin h = x;
  let u = branch(h, h);  // expected-error {{E0304}} {{`plain` has 1 input, and is called with 2}} {{it stands at this site}}
  write h = u;
  end x = h;
}
connection nothing {
  state h[d];
  begin h = x;
  let u = branch();  // expected-error {{`plain` needs its input `x`}}
  write h = u;
  end x = h;
}
connection misnamed {
  state h[d];
  begin h = x;
  let u = branch(z = h);  // expected-error {{`plain` has no input `z`}} expected-error {{needs its input `x`}}
  write h = u;
  end x = h;
}
connection narrow {
  state h[d];
  begin h = x;
  let u = branch(h[0]);  // expected-error {{input `x` has 1 axis, but this has 0}} {{`i.s`}}
  write h[c] = h[c] + u;
  end x = h;
}
connection seldom(call = false) {  // expected-error {{neither reads for its branch nor calls it}} {{left out of the trunk by `if`}}
  state h[d];
  begin h = x;
  if call { let u = branch(h); } else { let u = h; }
  write h = u;
  end x = h;
}
fn rule(h) = branch(h);  // expected-error {{`branch` is what stands at a site}} {{rule(branch, h)}}
connection ruled {  // expected-error {{has no `read`}} {{let y = branch(norm(h));}}
  state h[d];
  begin h = x;
  write h = rule(h);
  end x = h;
}
connection drawn {
  state h[d];
  begin h = x;
  let z = h;
  iterate 3 { z[c] = branch(z)[c]; }
  write h = z;
  end x = h;
}
branch plain : x[d] -> y[d] {
  param W[d, d] ~ normal(0.1);
  let y[c] = sum[k] W[c,k] * x[k];
}
branch dropping : x[d] -> y[d] {
  let y = dropout(x, 0.5);
}
model m {
  const d = 4;
  input x[d] : real;
  let a = trunk(x) { s = early : plain; };
  let b = trunk(x) { s = misread : plain; };
  let e = trunk(x) { s = counted : plain & plain; };
  let f = trunk(x) { s = several : plain; };
  let g = trunk(x) { s = nothing : plain; };
  let h = trunk(x) { s = misnamed : plain; };
  let i = trunk(x) { s = narrow : plain; };
  let j = trunk(x) { s = seldom : plain; };
  let k = trunk(x) { s = ruled : plain; };
  let l = trunk(x) { s = drawn : dropping; };
  output a;
}
