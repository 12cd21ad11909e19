model m {
  input  a[32, 32]    : real;
  input  b[3, 32, 32] : real;
  input  d            : real;
  target class        : token(10);
  param W[10] ~ normal(1);
  let logits[v] = W[v] * (a[0,0] + b[0,0,0] + d);
  loss cross_entropy(logits, class);
}
train m {
  data cifar10 {
    a[i, j]  = images[3, i, j];           // expected-error {{E0404}} {{subscript 1 reaches entry 3, but that axis of `images` has 3}}
    b        = images[i, j];              // expected-error {{E0201}} {{`i`}}
    d        = images[0];                 // expected-error {{`images` of CIFAR-10 are [3, 32, 32]}}
    class    = labels["x"];               // expected-error {{only a table's columns have names}}
    class    = labels;
    class    = labels - 0;                // expected-error {{E0202}} {{`class` is filled twice}}
    header   = true;                      // expected-error {{`header` belongs to `table` data}}
    train    = files(images = "a.bin");   // expected-error {{files of `cifar10` data hold all streams}}
    held_out = files();                   // expected-error {{files are named as `files("a.csv")`}}
  }
}
