#!/usr/bin/env python3
"""Gradients through what is read at other positions: a shift or window of what its kernel makes.

A backward kernel may make a value again for itself, but only at its own positions; what its shifts
read must come from memory. Where that is decided depends on the width, so widths lie on both sides
of where plan and schedule change their mind."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

SOURCE = """branch across : x[d] -> y[d] {{
  {body}
}}
connection kept {{
  state h[d];
  param F[d, d] ~ normal(0.1), g[d] = 1;
  begin h = x;
  {kept}
  write h[c] = h[c] + y[c];
  end x = h;
}}
model m {{
  const d = 8;
  positions t <= 5;
  input u[t, d] : real;
  target v[t] : real;
  param W[d] ~ normal(0.3);
  let h = trunk(u) {{ a = {connection} : {branch}; b = {connection} : {branch}; }};
  let p = sum[c] W[c] * h[c];
  loss (p - v)^2;
}}
"""
PLAIN = "read x[c] = h[c];"
BRANCHES = {
    "product": "param w[d] = 1; let s = shift(x, 1); let y[c] = s[c] * x[c] * w[c];",
    "window": "param w[d] ~ normal(1); let s = window(x, 3); "
              "let y[c] = tanh(s[0, c] + s[1, c]) * w[c];",
    "square": "param w[d] ~ normal(1); let z[c] = gelu(w[c] * x[c])^2; let s = shift(z, 2); "
              "let y[c] = s[c] + x[c];",
    "shifted twice": "param w[d] ~ normal(1); let z[c] = w[c] * x[c]; let s = shift(z, 1); "
                     "let q[c] = s[c] * z[c]; let r = shift(q, 1); let y[c] = r[c] * s[c];",
}
GATE = "let f[k] = sigmoid(sum[c] F[k, c] * h[c]); let m[c] = (1 - f[c]) * h[c]; "
READS = {  # what is read at other positions, beside what it is made of
    "gated": GATE + "let s = shift(m, 1); read x[c] = m[c] + f[c] * s[c];",
    "window of gated": "let f[k] = sigmoid(sum[c] F[k, c] * h[c]); let m[c] = g[c] * f[c] * h[c]; "
                       "let s = window(m, 3); read x[c] = m[c] + f[c] * (s[0, c] + s[2, c]);",
    "squared": "let z[k] = gelu(sum[c] F[k, c] * h[c])^2; let s = shift(z, 1); "
               "read x[c] = z[c] * s[c] + h[c];",
    "dropped": "let z[k] = sum[c] F[k, c] * h[c]; let n = rmsnorm(z); let s = shift(z, 1); "
               "read x[c] = dropout(n, 0.3)[c] * s[c];",
    "dropped and shifted": GATE + "let q = dropout(m, 0.3); let s = shift(q, 2); "
                                  "read x[c] = q[c] + tanh(s[c]) * f[c];",
    "folded": "let n = rmsnorm(h); let z = 0 * n[0]; let q = shift(n, 5); let s = shift(z, 1); "
              "let r = window(q, 2); let w = shift(shift(0 * h, -1), 2); "
              "read x[c] = n[c] * g[c] + s + r[1, c] + w[c];",
    "both ways": GATE + "let s = shift(m, 1); let r = shift(f, -1); read x[c] = s[c] * r[c] + f[c];",
}


FOLDED = {  # the same at all positions, once it is simplified
    "shifted": "let z[c] = 0 * x[c] + w[c]; let s = shift(z, 1); let r = shift(z, -2); "
               "let y[c] = s[c] * x[c] + r[c];",
    "window": "let z[c] = 0 * x[c] + w[c]; let s = window(z, 3); let y[c] = x[c] * s[0, c] + tanh(s[1, c]);",
    "beyond": "let z = shift(x, 5); let s = window(z, 2); let y[c] = x[c] * w[c] + s[0, c];",
    "attended": "let z[h < 1, c] = 0 * x[c] + w[c]; let o = attend(z, z, z); let y[c] = x[c] * o[0, c];",
    "attended zeros": "param V[1, d, d] ~ normal(0.1); let z = shift(x, 5); let q[h, a] = sum[c] V[h, a, c] * z[c]; "
                      "let o = attend(q, q, q); let y[c] = x[c] * w[c] + o[0, c];",
}


class Shifts(harness.TestCase):
    def right(self, source, width):
        result = hcc("gradcheck", self.write("m.hc", source), "--set", f"d={width}")
        self.assertEqual(result.code, 0, repr(result)[-2000:])

    def test_branches(self):
        for connection, widths in (("residual", (64, 65)), ("mhc(n = 2)", (65,))):
            for name, body in BRANCHES.items():
                for width in widths:
                    with self.subTest(name, connection=connection, width=width):
                        self.right(SOURCE.format(body=body, kept=PLAIN, connection=connection,
                                                 branch="across"), width)

    def test_folded(self):
        for name, body in FOLDED.items():
            for width in (33, 65):
                with self.subTest(name, width=width):
                    self.right(SOURCE.format(body="param w[d] ~ normal(1); " + body, kept=PLAIN,
                                             connection="residual", branch="across"), width)

    def test_reads(self):
        for name, kept in READS.items():
            for width in (65, 96, 257):
                with self.subTest(name, width=width):
                    self.right(SOURCE.format(body="param w[d] = 1; let y[c] = w[c] * x[c];",
                                             kept=kept, connection="kept", branch="across"), width)


if __name__ == "__main__":
    harness.main(__name__)
