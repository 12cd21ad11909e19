connection one {            // expected-error {{E0104}} {{this block is never closed}} {{missing before this}}
  state h[d];
  begin h = x;

connection two {            // expected-error {{this block is never closed}} {{the end of the file}}
  state h[d];
