#!/usr/bin/env python3
"""What connections must compute whatever the implementation: compiled code against mathematics.

Static and dynamic hyper-connections and frac-connections at their initial parameters are the
pre-norm residual network; Sinkhorn's scaling gives numbers known in advance.
"""

import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
from library import Model, build, harness
from oracles import SINKHORN, SINKHORN2

SIZES = {"d": 32, "heads": 4, "blocks": 2, "context": 9}
SAMPLES, POSITIONS = 2, 9


class Wiring(harness.TestCase):
    """Logits of one network under several wirings; what is not a connection's has equal values."""

    known = {}

    def logits(self, wiring, f64=True, n=4):
        key = wiring, f64, n
        if key not in self.known:
            self.known[key] = self.compute(wiring, f64, n)
        return self.known[key]

    def compute(self, wiring, f64, n):
        path = build(self.path(f"m{len(os.listdir(self.folder))}.so"), f64=f64, wiring=wiring, n=n,
                     **SIZES)
        with Model(path, SAMPLES, POSITIONS) as model:
            model.init(5)
            for name, p in model.parameters.items():
                if ".hc." not in name:  # large enough for the norms' eps to be small beside it
                    draw = random.Random(name)
                    p.data[:] = [draw.gauss(0, 0.3) for _ in p.data]
            draw = random.Random(1)
            for name in ("tokens", "next"):
                model.set_input(name, [draw.randrange(256) for _ in range(SAMPLES * POSITIONS)])
            model.forward()
            values, dims = model.output("logits")
            self.assertEqual(dims, [SAMPLES, POSITIONS, 256])
        return [values[k : k + 256] for k in range(0, len(values), 256)]

    def gap(self, a, b):
        size = max(abs(x) for row in b for x in row)
        return max(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q)) / size

    def test_static_streams_are_the_residual(self):
        """n equal streams sum to n times the residual's: only the final norm's eps differs.

        The norm of n h divides h by sqrt(mean + eps/n^2), that of h by sqrt(mean + eps): one factor
        for all of a position's logits, not below one.
        """
        plain = self.logits("residual")
        for n in harness.share([4, 2, 1], 2):
            streams = self.logits("shc", n=n)
            with self.subTest(n=n):
                spread = most = 0.0
                for a, b in zip(streams, plain):
                    ratio = sum(x * y for x, y in zip(a, b)) / sum(y * y for y in b)
                    most = max(most, ratio - 1)
                    size = max(abs(y) for y in b)
                    spread = max(spread, *(abs(x - ratio * y) / size for x, y in zip(a, b)))
                    self.assertGreaterEqual(ratio, 1 - 1e-13)
                print(f"E1 shc n={n}: same direction to {spread:.1e}, eps's factor 1 + {most:.1e}")
                self.assertLess(spread, 1e-12)
                self.assertLess(most, 1e-6 if n > 1 else 1e-13)

    def test_dynamic_streams_are_the_static(self):
        for n in harness.share([4, 2, 1], 2):
            with self.subTest(n=n):
                gap = self.gap(self.logits("dhc", n=n), self.logits("shc", n=n))
                print(f"E2 dhc n={n}: {gap:.1e} from shc")
                self.assertLess(gap, 1e-13)

    def test_fractions_are_the_residual(self):
        plain = self.logits("residual")
        for m in (1, 2, 4):
            with self.subTest(m=m):
                gap = self.gap(self.logits(f"frac(m={m})"), plain)
                print(f"E9 frac m={m}: {gap:.1e} from residual")
                self.assertLess(gap, 1e-13)

    def test_in_single_precision(self):
        plain = self.logits("residual", f64=False)
        for wiring in ("shc", "dhc", "frac"):
            with self.subTest(wiring):
                gap = self.gap(self.logits(wiring, f64=False), plain)
                print(f"f32 {wiring}: {gap:.1e} from residual")
                self.assertLess(gap, 2e-5)

    def test_other_parameters_are_not_the_residual(self):
        """The comparison can fail: mhc does not begin as the residual."""
        self.assertGreater(self.gap(self.logits("mhc"), self.logits("residual")), 1e-3)


SINKHORN_MODEL = """use std;

model oracle {
  const n = 4, iters = 20;
  input weight[n, n] : real;
  param L[n, n] = 0;
  let M = sinkhorn(L, iters);
  probe M;
  loss sum[k, j] weight[k, j] * M[k, j];
}
"""


def flat(matrix):
    return [x for row in matrix for x in row]


class Sinkhorn(harness.TestCase):
    def run_model(self, logits, weights, iters, f64=True):
        """Value, loss and gradient."""
        n = len(logits)
        file = self.write("oracle.hc", SINKHORN_MODEL)
        path = build(self.path(f"s{len(os.listdir(self.folder))}.so"), file=file, f64=f64, n=n,
                     iters=iters)
        with Model(path, samples=2) as model:
            model.parameters["L"].data[:] = flat(logits)
            model.set_input("weight", flat(weights) * 2)
            loss = model.forward()
            model.backward()
            gradient = list(model.parameters["L"].gradient)
            value = []  # entry by entry, as the loss of one weight: needs no probe
            for k in range(n * n):
                model.set_input("weight", [float(i == k) for i in range(n * n)] * 2)
                value.append(model.forward())
        return value, loss, gradient

    def close(self, what, found, wanted, tolerance):
        error = max(abs(a - b) for a, b in zip(found, wanted))
        print(f"sinkhorn {what}: {error:.1e}")
        self.assertEqual(len(found), len(wanted))
        self.assertLess(error, tolerance, what)

    def test_value_and_gradient(self):
        weights = SINKHORN["weights"]
        for iters, wanted in SINKHORN["value"].items():
            with self.subTest(iters=iters):
                value, loss, gradient = self.run_model(SINKHORN["logits"], weights, iters)
                self.close(f"value, {iters}", value, flat(wanted), 6e-7)
                total = sum(a * b for a, b in zip(flat(weights), value))
                self.close(f"weighted sum, {iters}", [loss], [total], 1e-14)
                for k in range(4):
                    self.assertAlmostEqual(sum(value[4 * k : 4 * k + 4]), 1, delta=1e-14)
                    # a constant added to a source's column changes nothing
                    self.assertAlmostEqual(sum(gradient[k::4]), 0, delta=1e-14)
                if iters in SINKHORN["gradient"]:
                    self.close(f"gradient, {iters}", gradient, flat(SINKHORN["gradient"][iters]),
                               6e-7)
                else:
                    self.close(f"gradient, {iters}", gradient, by_hand(weights, iters), 1e-9)

    def test_column_error(self):
        for iters, wanted in SINKHORN["column_error"].items():
            if iters <= 10:
                value = self.run_model(SINKHORN["logits"], SINKHORN["weights"], iters)[0]
                error = max(abs(sum(value[k::4]) - 1) for k in range(4))
                self.assertLess(abs(error / wanted - 1), 0.03, iters)

    def test_hard_logits(self):
        logits = [[6 * x for x in row] for row in SINKHORN["logits"]]
        value = self.run_model(logits, SINKHORN["weights"], 20)[0]
        self.close("column sums of hard logits", [sum(value[k::4]) for k in range(4)],
                   SINKHORN["hard_column_sums"], 6e-5)

    def test_two_streams(self):
        value = self.run_model(SINKHORN2["logits"], [[1, 0], [0, 0]], 20)[0]
        self.close("two streams", value[:1], [SINKHORN2["p"]], 6e-9)

    def test_single_precision(self):
        value, _, gradient = self.run_model(SINKHORN["logits"], SINKHORN["weights"], 20, f64=False)
        self.close("value in f32, 20", value, flat(SINKHORN["value"][20]), 2e-6)
        self.close("gradient in f32, 20", gradient, flat(SINKHORN["gradient"][20]), 2e-6)


def by_hand(weights, iters, h=1e-4):
    """Fourth-order central differences of the weighted sum, by the definition."""

    def total(logits):
        u, v = [1.0] * 4, [1.0] * 4
        K = [[math.exp(x) for x in row] for row in logits]
        for _ in range(iters):
            v = [1 / sum(u[k] * K[k][j] for k in range(4)) for j in range(4)]
            u = [1 / sum(K[k][j] * v[j] for j in range(4)) for k in range(4)]
        return sum(weights[k][j] * u[k] * K[k][j] * v[j] for k in range(4) for j in range(4))

    gradient = []
    for k in range(4):
        for j in range(4):
            def at(t):
                moved = [list(row) for row in SINKHORN["logits"]]
                moved[k][j] += t
                return total(moved)
            gradient.append((8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h))
    return gradient


if __name__ == "__main__":
    harness.main(__name__)
