// A kernel is ended for its size, at the same place in equal blocks: few kernels, and few lines of them.
// RUN: hcc emit --stage fused --explain-fusion %s 2>&1 >/dev/null | FileCheck %s
// RUN: hcc emit --stage nests %s | awk '/^kernel/ { k++ } END { print NR < 40000 ? "short" : "long", k < 20 ? "few" : "many" }' | FileCheck --check-prefix=NESTS %s
// RUN: hcc emit --stage nests --set blocks=120 %s | awk '/^kernel/ { k++ } END { print NR < 40000 ? "short" : "long", k < 20 ? "few" : "many" }' | FileCheck --check-prefix=NESTS %s
// RUN: hcc emit --stage fused --set blocks=4 %s | awk '/ended for its size/ { n++ } END { print n + 0, "cut" }' | FileCheck --check-prefix=WHOLE %s

// CHECK: One of more than 16384 operations at a position is cut
// CHECK: ended     for its size: k{{[0-9]+}} goes on
// NESTS: short few
// WHOLE: 0 cut
use std;

model m {
  const vocab = 32, d = 8, blocks = 60, n = 2;
  positions t <= 8;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E) + position(t);
  let h = trunk(x) {
    repeat blocks {
      a = mhc : mlp(2 * d);
      b = mhc : mlp(2 * d);
    }
  };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
