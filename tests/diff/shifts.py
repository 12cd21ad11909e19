#!/usr/bin/env python3
"""Gradients through what is read at other positions: a shift or window of what its kernel makes.

A backward kernel may make a value again for itself, but only at its own positions; what its shifts
read must come from memory. Where that is decided depends on the width, so widths lie on both sides
of where plan and schedule change their mind."""

import os
import re
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


# What kernels move with a shift, and without: connections that differ in it alone.
MOVED = """
connection kept {{
  state h[d];
  param a[d] = 0.5, k[3, d] = 0.3;
  begin h = x;
  {kept}
  write h[c] = h[c] + y[c];
  end x = h;
}}
connection mixed(n = 4) {{
  state H[n, d];
  param A[n] = 0.3, M[n, n] = identity, B[n] = 1, a[d] = 0.5;
  begin H[i, c] = x[c];
  let u[c] = sum[i] A[i] * H[i, c];
  {mixed}
  write H[i, c] = sum[j] M[i, j] * H[j, c] + B[i] * y[c];
  let s[c] = sum[i] H[i, c];
  end x = s;
}}
model m {{
  const d = 256;
  positions t <= 64;
  input u[t, d] : real;
  input q[t, d] : real;
  let h = trunk(u) {{ repeat 8 {{ a = {connection} : linear(d); }} }};
  loss sum[c] q[c] * h[c];
}}
"""
NORMED, MIXED = "let m = rmsnorm(h); read x[c] = a[c] * m[c];", "read x[c] = a[c] * rmsnorm(u)[c];"
MOVES = {  # with it, without it
    "norm": ("let m = rmsnorm(h); let s = shift(m, 1); read x[c] = m[c] + a[c] * s[c];", NORMED),
    "state": ("let s = shift(h, 1); let m[c] = h[c] + a[c] * s[c]; read x = rmsnorm(m);", NORMED),
    "window": ("let w = window(h, 3); let m[c] = sum[i] k[i,c] * w[i,c]; read x = rmsnorm(m);", NORMED),
    "ahead": ("let m = rmsnorm(h); let s = shift(m, -2); read x[c] = m[c] + a[c] * s[c];", NORMED),
    "streams": ("let m[c] = u[c] + a[c] * shift(u[c], 1); read x = rmsnorm(m);", MIXED),
    "streams, window": ("let w = window(u, 3); let m[c] = u[c] + a[c] * (w[0,c] + w[1,c]); "
                        "read x = rmsnorm(m);", MIXED),
}


def grid_of(source):
    """The same on a grid."""
    for old, new in (("t <= 5", "(r <= 3, s <= 4)"), ("[t, d]", "[r, s, d]"), ("[t]", "[r, s]")):
        source = source.replace(old, new)
    return source


class Shifts(harness.TestCase):
    def right(self, source, width):
        result = hcc("gradcheck", self.write("m.hc", source), "--set", f"d={width}")
        self.assertEqual(result.code, 0, repr(result)[-2000:])

    def moved(self, connection, body):
        """Bytes at a position and kernels."""
        source = MOVED.format(connection=connection, **{"kept": NORMED, "mixed": MIXED, connection: body})
        result = self.expect(hcc("emit", self.write("m.hc", source), "--stage", "fused", "--explain-fusion"))
        calls = re.findall(r"(\d+) calls?: .*\n(?:      .*\n)*?      moves +(\d+) bytes", result.out + result.err)
        return sum(int(n) * int(size) for n, size in calls), sum(int(n) for n, _ in calls)

    def test_bytes(self):
        for name, (body, plain) in MOVES.items():
            with self.subTest(name):
                connection = "mixed" if "streams" in name else "kept"
                found, base = self.moved(connection, body), self.moved(connection, plain)
                self.assertLess(found[0], 1.2 * base[0])
                self.assertEqual(found[1], base[1], "kernels")

    def test_grids(self):
        for name, body in {
                "norm": "let n = rmsnorm(h); let s = shift(n, 1, -1); read x[c] = n[c] * s[c];",
                "window": "let n[c] = tanh(g[c] * h[c] + 1); let w = window(n, 3, 3); "
                          "read x[c] = (sum[i, j] w[i, j, c]) * w[1, 0, c];",
                "twice": "let n = rmsnorm(h); let s = shift(n, 0, 1); let q[c] = s[c] / (1 + n[c]^2); "
                         "let r = shift(q, 1, -1); read x[c] = r[c] + q[c];"}.items():
            with self.subTest(name):
                self.right(grid_of(SOURCE.format(body="param w[d] = 1; let y[c] = w[c] * x[c];", kept=body,
                                                 connection="kept", branch="across")), 65)

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
