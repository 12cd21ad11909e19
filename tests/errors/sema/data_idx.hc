model m {
  input  a[28, 28] : real;
  target class     : token(10);
  param W[10] ~ normal(1);
  let logits[v] = W[v] * a[0,0];
  loss cross_entropy(logits, class);
}
train m {
  data idx {
    a[i, j] = images[i, j] / 255;
    class   = label;                      // expected-error {{E0404}} {{`idx` data have no `label`}} {{there are: images labels}}
    train   = files(images = "i", labels = "l", "x");   // expected-error {{say which stream the file holds}} {{files(images = }}
  }
}
