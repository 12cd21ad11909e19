#!/usr/bin/env python3
"""Sizes beyond what 32 bits count, beyond memory and beyond any machine: told as what they are."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

CLASSES = """model classes {
  const n = 3;
  input x[2] : real;
  target y : token(n);
  param W[n, 2] = 0;
  let l[v] = sum[i] W[v,i] * x[i];
  loss cross_entropy(l, y);
}
"""

# A product for BLAS, of n * n features at each position.
PRODUCT = """model product {
  const n = 3;
  positions t <= 4;
  input x[t, 2] : real;
  target y[t] : real;
  param W[n, n, 2] = 1;
  let l[a, b] = sum[i] W[a,b,i] * x[i];
  let m[a, b] = tanh(l[a, b]);
  loss ((sum[a, b] m[a, b]) - y)^2;
}
"""

HEADS = """model heads {
  const n = 3;
  positions t <= 4;
  input x[t, n] : real;
  target y[t, n] : real;
  let q[h, e < 1] = x[h];
  let o = attend(q, q, q);
  loss sum[h, e] o[h,e] * y[h];
}
"""

CARRIED = """fn turned(z[n, n]) -> r[n, n] {
  let r[a, b] = z[a, b];
  iterate 2 { r[a, b] = tanh(r[b, a]); }
}
model carried {
  const n = 3;
  input x : real;
  param W[n, n] = 1;
  let R = turned(W);
  loss (sum[a, b] R[a,b]) * x;
}
"""

MANY = """model many {
  const n = 3;
  positions t <= 4;
  input x[t, n] : real;
  target y[t, n] : real;
  let h = trunk(x) { repeat 300 { a = residual : linear(n); } };
  loss mse(h, y);
}
"""

# Values that one kernel works on, each turned, so that each lies in memory.
WORKED = """model worked {
  const n = 3;
  input x : real;
  param W[n] = 1;
  let v0[a, b] = tanh(W[a] * W[b] * x);
""" + "".join(f"  let v{k}[a, b] = tanh(v{k - 1}[b, a]);\n" for k in range(1, 70)) + """
  loss sum[a, b] v69[a, b];
}
"""

STORED = """model stored {
  const n = 3;
  positions t <= 4;
  input x[t, n] : real;
""" + "".join(f"  let v{k}[a, b] = x[a] * x[b] + {k};\n  probe v{k};\n" for k in range(300)) + """
  loss sum[a] x[a];
}
"""


BOUNDED = ["sh", "-c", 'ulimit -v 3000000; exec "$@"', "sh"]  # 3 GB


class Sizes(harness.TestCase):
    def refused(self, text, n, code, said):
        if harness.sanitized():
            self.skipTest("the sanitizer's own memory is beyond the limit")
        path = self.write("m.hc", text)
        result = harness.run([*BOUNDED, harness.hcc_path(), "bench", path, "--set", f"n={n}", "--steps", "1"])
        self.assertEqual(result.code, code, result)
        self.assertIn(said, result.err)
        self.assertNotIn("malformed", result.err)
        if code == 1:
            self.assertRegex(result.err, r"error\[E0502\].*\n  \S+\.hc:\d+:\d+\n")

    def test_what_memory_does_not_hold(self):
        for n in (50000000, 2**30 // 2, 7 * 10**8, 2**31 - 1):
            self.refused(CLASSES, n, 6, "GiB")

    def test_products_beyond_what_blas_counts(self):
        for n in (46340, 46341, 100000):  # n * n is just below 2^31, and beyond
            self.refused(PRODUCT, n, 6, "GiB")

    def test_heads(self):
        for n in (2**28, 2**31 - 1):
            self.refused(HEADS, n, 6, "out of memory")

    def test_what_the_gradient_makes(self):
        self.refused(CARRIED, 100000, 6, "GiB")
        self.refused(CARRIED, 2**20, 1, "more than 2^40 entries")

    def test_all_parameters(self):
        self.refused(MANY, 900000, 6, "GiB")
        self.refused(MANY, 2**20, 1, "the parameters of the model would take 1.319e+15 bytes, more than 2^50")

    def test_a_kernels_own_memory(self):
        self.refused(WORKED, 2**20, 1, "GiB for each thread; the most is 2^48 bytes")

    def test_what_is_stored(self):
        self.refused(STORED, 2**20, 1, "at each position would take 1.319e+15 bytes, more than 2^50")

    def test_info_says_that_a_plan_is_refused(self):
        path = self.write("m.hc", MANY)
        result = harness.hcc("info", path, "--set", "n=1048576")
        self.assertEqual(result.code, 0, result)
        self.assertIn("memory\n  not known", result.out)
        self.assertIn("the parameters of the model would take", result.err)
        result = harness.hcc("info", "--json", path, "--set", "n=1048576")
        self.assertIn('"refused": "the parameters of the model would take', result.out)


if __name__ == "__main__":
    harness.main(__name__)
