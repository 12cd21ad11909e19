#!/usr/bin/env python3
"""Arrangements of layers that hyper-connection matrices describe, against the networks they stand
for: pre-norm, post-norm, sequential, parallel, and any static matrices as dense connections between
layers. Compiled code against plain arithmetic; needs the standard library of Python alone.
"""

import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

D, POSITIONS = 5, 3

SOURCE = """
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
/// Its results have mean 0.
branch centred : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let z[c] = tanh(sum[a] W[c,a] * x[a]);
  let y[c] = z[c] - mean[a] z[a];
}
model one {
  const d = %(d)d;
  positions t <= %(positions)d;
  param X[%(positions)d, d] ~ normal(1);
  let x = embed(t, X);
  let h = trunk(x) { %(sites)s };
  probe h;
  loss sum[c] h[c];
}
"""


def add(*vectors):
    return [sum(column) for column in zip(*vectors)]


def times(s, v):
    return [s * x for x in v]


def bend(W, x):
    return [math.tanh(sum(w * v for w, v in zip(W[c * D : c * D + D], x))) for c in range(D)]


def centred(W, x):
    y = bend(W, x)
    return [v - sum(y) / D for v in y]


def rmsnorm(x):
    return times(1 / math.sqrt(sum(v * v for v in x) / D + 1e-6), x)


def layernorm(x):
    x = [v - sum(x) / D for v in x]
    return times(1 / math.sqrt(sum(v * v for v in x) / D + 1e-5), x)


class Arrangements(harness.TestCase):
    def run_sites(self, *sites, change=(), centre=False):
        """h by position, X by position, parameters by name. `change`: what begins with random
        values, by the ends of names."""
        text = " ".join(f"s{k} = {site};" for k, site in enumerate(sites))
        name = f"m{len(os.listdir(self.folder))}"
        file = self.write(f"{name}.hc", SOURCE % {"d": D, "positions": POSITIONS, "sites": text})
        path = build(self.path(f"{name}.so"), file=file, f64=True)
        with Model(path, 1, POSITIONS) as model:
            model.init(4)
            draw = random.Random(5)
            for name, p in model.parameters.items():
                if name.endswith((".W", "X", *change)):
                    p.data[:] = [draw.gauss(0, 1) for _ in p.data]
            X = model.parameters["X"].data
            if centre:
                for t in range(POSITIONS):
                    row = X[t * D : t * D + D]
                    X[t * D : t * D + D] = [v - sum(row) / D for v in row]
            model.forward()
            h, dims = model.output("h")
            self.assertEqual(dims, [POSITIONS, D])
            self.parameters = {name: list(p.data) for name, p in model.parameters.items()}
        X = self.parameters["X"]
        cut = [list(range(t * D, t * D + D)) for t in range(POSITIONS)]
        return [[h[k] for k in row] for row in cut], [[X[k] for k in row] for row in cut]

    def weights(self, k, branch=""):
        return self.parameters[f"trunk.s{k}{branch}.W"]

    def assert_same(self, what, found, wanted, tolerance=1e-13):
        gap = max(abs(a - b) for p, q in zip(found, wanted) for a, b in zip(p, q))
        size = max(abs(b) for q in wanted for b in q)
        print(f"{what}: {gap / size:.1e}")
        self.assertLessEqual(gap, tolerance * size, what)

    def test_one_stream_is_the_residual(self):
        """E3: one stream, read, carried and written as it is."""
        for wiring in ("shc(n = 1)", "dhc(n = 1)", "frac(m = 1)", "residual"):
            found, X = self.run_sites(*[f"{wiring} : bend"] * 3)
            wanted = []
            for x in X:
                for k in range(3):
                    x = add(x, bend(self.weights(k), rmsnorm(x)))
                wanted.append(rmsnorm(x))
            self.assert_same(f"E3 {wiring}", found, wanted)

    def test_postnorm_is_a_matrix(self):
        """E4: [[0, s], [1, s]], exact when what is added has mean 0."""
        for wiring in ("postnorm(matrix = true)", "postnorm(norm = layernorm)"):
            found, X = self.run_sites(*[f"{wiring} : centred"] * 3, centre=True)
            wanted = []
            for x in X:
                for k in range(3):
                    x = layernorm(add(x, centred(self.weights(k), x)))
                wanted.append(x)
            self.assert_same(f"E4 {wiring}", found, wanted)
        found, X = self.run_sites("postnorm(matrix = true) : bend")
        other = [layernorm(add(x, bend(self.weights(0), x))) for x in X]
        self.assertGreater(max(abs(a - b) for p, q in zip(found, other) for a, b in zip(p, q)), 1e-3)

    def groups(self, n, exact, groups):
        wiring = f"parallel(n = {n}, exact = {str(exact).lower()}, norm = none)"
        found, X = self.run_sites(*[f"{wiring} : bend"] * (n * groups))
        wanted = []
        for x in X:
            for g in range(groups):
                results = [bend(self.weights(g * n + i), x) for i in range(n)]
                x = add(times(1 if exact else n, x), *results)
            wanted.append(x)
        return found, wanted

    def test_parallel_as_printed(self):
        """E5: the paper's matrices keep every copy: n h + the branches of the group."""
        for groups in (1, 3):
            found, wanted = self.groups(2, False, groups)
            self.assert_same(f"E5 n = 2, {groups} groups", found, wanted)

    def test_parallel_exact(self):
        """E6: h + the branches of the group, which read the same h."""
        for n, groups in ((1, 3), (2, 1), (2, 3), (3, 2), (4, 2)):
            found, wanted = self.groups(n, True, groups)
            self.assert_same(f"E6 n = {n}, {groups} groups", found, wanted)
        found, X = self.run_sites("residual(norm = none) : bend & bend & centred")
        names = ("bend_0", "bend_1", "centred")
        wanted = [add(x, *((centred if name == "centred" else bend)(
            self.weights(0, f".{name}"), x) for name in names)) for x in X]
        self.assert_same("side by side at one site", found, wanted)

    def test_sequential(self):
        """Reading stream 0 and writing all alike: the streams stay equal, and are the residual's."""
        for n in (1, 2, 4):
            found, X = self.run_sites(*[f"shc(n = {n}, start = 0, reduce = mean_streams) : bend"] * 3)
            wanted = []
            for x in X:
                for k in range(3):
                    x = add(x, bend(self.weights(k), rmsnorm(x)))
                wanted.append(rmsnorm(x))
            self.assert_same(f"sequential n = {n}", found, wanted)

    def test_dense_connections(self):
        """E7: any static matrices are weights c[k][j] from each earlier result to each layer."""
        for n, sites in ((1, 4), (2, 5), (3, 6), (4, 7)):
            found, X = self.run_sites(*[f"shc(n = {n}, norm = none) : bend"] * sites,
                                      change=(".Am", ".Ar", ".B"))
            maps = [{name: self.parameters[f"trunk.s{k}.hc.{name}"] for name in ("Am", "Ar", "B")}
                    for k in range(sites)]

            def carry(v, k):
                """v by stream, through the mixing map of site k."""
                return [sum(maps[k]["Ar"][i * n + j] * v[j] for j in range(n)) for i in range(n)]

            def weight(v, first, k):
                """What begins as v before site `first` adds this much to what site k reads."""
                for between in range(first, k):
                    v = carry(v, between)
                return sum(a * b for a, b in zip(maps[k]["Am"], v)) if k < sites else sum(v)

            wanted = []
            for x in X:
                results = []
                for k in range(sites + 1):
                    u = times(weight([1] * n, 0, k), x)
                    for j, y in enumerate(results):
                        u = add(u, times(weight(maps[j]["B"], j + 1, k), y))
                    results.append(bend(self.weights(k), u) if k < sites else u)
                wanted.append(results[-1])
            self.assert_same(f"E7 n = {n}, {sites} sites", found, wanted, 1e-12)

    def test_adapted(self):
        """A residual among streams: equal streams stay equal and are the residual's."""
        found, X = self.run_sites("shc(reduce = mean_streams) : bend", "residual : bend",
                                  "shc(start = 2, reduce = mean_streams) : bend", "residual : bend")
        wanted = []
        for x in X:
            for k in range(4):
                x = add(x, bend(self.weights(k), rmsnorm(x)))
            wanted.append(rmsnorm(x))
        self.assert_same("residual among four streams", found, wanted)


if __name__ == "__main__":
    harness.main(__name__)
