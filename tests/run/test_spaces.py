#!/usr/bin/env python3
"""Data of two spaces of positions: a table's columns, windows of a text of two lengths; what is sampled."""

import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

TABLE = """model tab {
  positions t <= 2;
  positions s <= 3;
  input x[t, 2] : real; input z[s] : real; target y[s] : real;
  let m[c] = x[floor(s / 2), c];
  param a = 1;
  let p = a * (z + m[0] - 2 * m[1]);
  probe p;
  loss (p - y)^2;
}
train tab {
  data table { x[t, c] = columns[2 * t + c]; z[s] = columns[4 + s]; y[s] = columns[7 + s]; held_out = 0.5; }
  optimizer sgd(lr = 0);
  batch 2; steps 1;
}
"""
TEXT = """model two {
  const d = 4;
  positions t <= 6 causal;
  positions s <= 9;
  input source[s] : token(256); input tokens[t] : token(256); target next[t] : token(256);
  param E[256, d] ~ normal(0.1);
  let m[c] = mean[s] E[source, c];
  let h[c] = E[tokens, c] + m[c];
  let logits[v] = sum[c] E[v, c] * h[c];
  loss cross_entropy(logits, next);
}
train two {
  data text { source[s] = bytes[s]; tokens[t] = bytes[t + 9]; next[t] = bytes[t + 10]; held_out = 0.5; }
  batch 2; steps 2;
}
"""


class SpacesOfData(harness.TestCase):
    def test_a_table(self):
        rows = [[10 * r + c for c in range(10)] for r in range(8)]
        data = self.write("rows.csv", "".join(",".join(map(str, row)) + "\n" for row in rows))
        run, out = self.path("run"), self.path("p.npy")
        self.expect(hcc("train", self.write("tab.hc", TABLE), "--data", data, "--out", run))
        self.expect(hcc("predict", run, "--output", "p", "--out", out))
        with open(out, "rb") as file:
            content = file.read()
        got = struct.unpack("<12f", content[-48:])
        want = [row[4 + s] + row[2 * (s // 2)] - 2 * row[2 * (s // 2) + 1] for row in rows[4:] for s in range(3)]
        self.assertEqual(list(got), want)

    def test_a_text(self):
        """16 bytes are a window: the source, and what goes on where it ends; of fewer there is none."""
        run = self.path("run")
        model = self.write("two.hc", TEXT)
        self.expect(hcc("train", model, "--data", self.write("a.txt", "abcdefghijklmnop" * 2), "--out", run))
        short = hcc("train", model, "--data", self.write("b.txt", "abcdefghijklmno" * 2), "--out", self.path("b"))
        self.assertEqual(short.code, 3)
        sampled = hcc("sample", run)
        self.assertNotEqual(sampled.code, 0)
        self.assertIn("its input `source` lives at positions `s`", sampled.err)


if __name__ == "__main__":
    harness.main(__name__)
