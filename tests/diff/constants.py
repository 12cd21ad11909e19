#!/usr/bin/env python3
"""Probes and metrics of what is known before anything runs have memory, and hold what they should."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from library import Model, build

SOURCE = """model m {
  const n = 8;
  input u[n] : real;
  target v : real;
  param W[n] ~ normal(0.5);
  param Z[3] = 1 freeze;
  let k[i < n]          = 1 / (1 + i);
  let one               = 3.5;
  let same[i < n]       = 2;
  let part[i < 3]       = k[i + 2];
  let turned[i < n]     = k[n - 1 - i];
  let two[a < 3, b < 4] = a * 10 + b;
  let flip[b < 4, a < 3] = two[a, b];
  let row[b < 4]        = two[1, b];
  let made[i < n]       = k[i] * k[i] + 1;
  probe k; probe one; probe same; probe part; probe turned; probe two; probe flip; probe row;
  probe made; probe Z;
  let p = sum[i] W[i] * u[i];
  loss (p - v)^2;
  metric known(part[1]);
}
fn known(x) = x;
"""


def expected(n):
    k = [1 / (1 + i) for i in range(n)]
    two = [[a * 10 + b for b in range(4)] for a in range(3)]
    return {"k": k, "one": [3.5], "same": [2] * n, "part": k[2:5], "turned": k[::-1],
            "two": sum(two, []), "flip": [two[a][b] for b in range(4) for a in range(3)],
            "row": two[1], "made": [x * x + 1 for x in k], "Z": [1] * 3, "known": [k[3]]}


@harness.unittest.skipUnless(harness.loads_libraries(),
                             "this Python cannot load the address sanitizer")
class Constants(harness.TestCase):
    def test_outputs(self):
        file = self.write("m.hc", SOURCE)
        for n in (8, 31, 32, 33, 64, 65, 257):
            for f64 in (False, True):
                with self.subTest(n=n, f64=f64):
                    path = build(self.path(f"m{n}{f64}.so"), "-O", "0" if n > 33 else "3",
                                 file=file, f64=f64, n=n)
                    self.compare(path, n)

    def compare(self, path, n):
        with Model(path, samples=3) as model:
            model.init(1)
            model.set_input("u", [0.25] * (3 * n))
            model.set_input("v", [1.0] * 3)
            for _ in range(2):  # what lives for ever is there after a backward pass as well
                model.forward_backward()
                for name, values in expected(n).items():
                    found, _ = model.output(name)
                    for a, b in zip(found, values, strict=True):
                        self.assertAlmostEqual(a, b, delta=1e-6 * abs(b), msg=name)


if __name__ == "__main__":
    harness.main(__name__)
