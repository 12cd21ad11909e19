// A branch, or parameters of the library, that the loss does not depend on: said with the cause.
connection unread {
  state h[d];
  begin h = x;
  read  x = rmsnorm(h);
  write h[c] = h[c];
  end   x = h;
}
connection early {
  state h[d];
  begin h = x;
  let u = rmsnorm(h);
  read  x = u;
  write h[c] = h[c] + y[c];
  end   x = u;
}
connection stopped {
  state h[d];
  param a[d] = 1;
  begin h = x;
  read  x = rmsnorm(h);
  write h[c] = h[c] + a[c] * stop_gradient(y[c]);
  end   x = h;
}
connection sometimes {
  state h[d];
  param a[d] = 1, b[d] = 1;
  begin h = x;
  read  x = rmsnorm(h);
  write h[c] = h[c] + select(site == 0, a[c], b[c]) * y[c];
  end   x = h;
}
connection pooled(map = linear) {
  state h[d], k[d];         // expected-warning {{the state `k` is written but never read}}
  begin h = x;
  begin k = x;
  read  x = rmsnorm(h);
  let m = map(h, d);        // expected-warning {{`f.any.hc.map.W` has no path to the loss}} {{declared here}}
  write h[c] = h[c] + y[c];
  write k[c] = k[c] + m[c];
  end   x = h;
}
model m {
  const d = 64;
  positions t <= 4;
  input  x[t, d] : real;
  target y[t, d] : real;
  let a = trunk(x) {
    good = residual : attention(4);
    lost = unread
         : mlp(64);         // expected-warning {{E0231}} {{the branch `mlp` of `a.lost` has no path}} {{`unread` never uses `y`}} {{for nothing}}
  };
  let b = trunk(a) {
    first = early : mlp(64);
    last  = early : linear(64)   // expected-warning {{the branch `linear` of `b.last` has no path}} {{what is made of its result ends here}}
                  & mlp(64);     // expected-warning {{the branch `mlp` of `b.last` has no path}} {{ends here}}
  };
  let c = trunk(b) {
    held = stopped
         : mlp(64);         // expected-warning {{the branch `mlp` of `c.held` has no path}} {{has no derivative}}
  };
  let e = trunk(c) {
    one = sometimes         // expected-warning {{`e.one.hc.b` has no path to the loss}} {{training leaves it as it begins}}
        : linear(64);
    two = sometimes         // expected-warning {{`e.two.hc.a` has no path to the loss}}
        : linear(64);
  };
  let f = trunk(e) {
    any = pooled : linear(64);
  };
  let aside = linear(f, 64);     // expected-warning {{`aside.W` has no path to the loss}}
  probe aside;
  loss mse(f, y);
}
