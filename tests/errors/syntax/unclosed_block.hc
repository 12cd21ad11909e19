connection one {            // expected-error {{E0104}} {{this block is never closed}} {{missing before this}}
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + y[c];
  end   x = h;

fn two(x) -> y {            // expected-error {{this block is never closed}} {{the end of the file}}
  let y = x;
