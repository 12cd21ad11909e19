#!/usr/bin/env python3
"""Numbers drawn inside models: what they depend on, and what dropout does."""

import math
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

DRAWS = """
const width = 40;

/// Numbers by index notation, and as many as a tensor has, in a branch of every site.
branch draw() : x[d] -> y[d] {
  let u[i < 3, c < 5] = random();
  let v = random(x);
  let w = random();
  probe u;
  probe v;
  probe w;
  let y[c] = v[c] * x[c] * w * sum[i, a] u[i,a];
}

model draws {
  positions t <= 12;
  input  x[t, width] : real;
  target y[t, width] : real;
  param a[width] = 1;
  let z[c] = a[c] * x[c];
  let h = trunk(z) { repeat 2 { one = residual : draw; } };
  loss mse(h, y);
}
"""

DROPPED = """
model dropped {
  const rate = 0.25, width = 48;
  positions t <= 16;
  input  x[t, width] : real;
  target y[t, width] : real;
  param a[3, width] = 1;
  let H[i,c] = a[i,c] * x[c];
  let D[i,c] = dropout(H[i], rate)[c];       // each i by itself, yet each with numbers of its own
  probe D;
  let s[c] = sum[i] D[i,c];
  loss mse(s, y);
}
"""


class Randomness(harness.TestCase):
    def model(self, text, name, f64=False, samples=3, positions=7, threads=1, **constants):
        path = build(self.path(f"{name}-{len(os.listdir(self.folder))}.so"), f64=f64,
                     file=self.write(f"{name}.hc", text.encode()), **constants)
        model = Model(path, samples, positions, threads)
        self.addCleanup(model.close)
        model.init(3)
        self.fill(model, samples, positions)
        return model

    def fill(self, model, samples, positions):
        width = 40 if model.manifest["model"] == "draws" else 48
        count = samples * positions * width
        model.set_input("x", [1.0] * count)
        model.set_input("y", [0.0] * count)

    def drawn(self, model):
        model.forward()
        return {name + str(block): model.output(f"trunk.{block}.one.{name}")[0]
                for block in range(2) for name in "uvw"}

    def test_uniform_and_different(self):
        draws = self.drawn(self.model(DRAWS, "draws", f64=True))
        everything = [x for values in draws.values() for x in values]
        self.assertTrue(all(0 <= x < 1 for x in everything))
        self.assertEqual(len(set(everything)), len(everything), "each number is its own")
        mean = sum(everything) / len(everything)
        variance = sum((x - mean) ** 2 for x in everything) / len(everything)
        self.assertAlmostEqual(mean, 1 / 2, delta=0.02)
        self.assertAlmostEqual(variance, 1 / 12, delta=0.01)
        self.assertEqual([len(draws[name]) for name in ("u0", "v0", "w0")], [3 * 7 * 15, 3 * 7 * 40, 3 * 7])

    def test_a_function_of_step_and_place_alone(self):
        model = self.model(DRAWS, "draws", f64=True)
        first = self.drawn(model)
        self.assertEqual(self.drawn(model), first, "the same step again")
        model.backward()
        model.step()
        second = self.drawn(model)
        for name in first:
            self.assertFalse(set(first[name]) & set(second[name]), "another step")
        model.init(3)
        self.assertEqual(self.drawn(model), first, "back at the first step")
        model.init(4)
        self.assertNotEqual(self.drawn(model)["u0"][0], first["u0"][0], "another seed")
        model.init(3)
        model.resize(5, 4)  # more samples, fewer positions: what both have is the same
        self.fill(model, 5, 4)
        other = self.drawn(model)
        for name, size in (("u1", 15), ("v1", 40), ("w1", 1)):
            for s in range(3):
                for t in range(4):
                    a, b = (s * 7 + t) * size, (s * 4 + t) * size
                    self.assertEqual(first[name][a : a + size], other[name][b : b + size])

    def test_single_precision_is_the_double_cut_off(self):
        single, double = (self.drawn(self.model(DRAWS, "draws", f64=f64)) for f64 in (False, True))
        for name in single:
            for a, b in zip(single[name], double[name]):
                self.assertEqual(a, math.floor(b * 2**24) / 2**24)

    def test_dropout(self):
        for f64 in (False, True):
            model = self.model(DROPPED, "dropped", f64=f64, samples=8, positions=16)
            model.forward()
            values, dims = model.output("D")
            self.assertEqual(dims, [8, 16, 3, 48])
            kept = [x for x in values if x != 0]
            self.assertTrue(all(abs(x - 4 / 3) < 1e-6 for x in kept))
            share = len(kept) / len(values)
            self.assertAlmostEqual(share, 0.75, delta=4 * math.sqrt(0.25 * 0.75 / len(values)))
            streams = [values[k * 48 : k * 48 + 48] for k in range(3)]
            self.assertNotEqual(streams[0], streams[1])
            self.assertNotEqual(streams[1], streams[2])
            model.training(False)
            model.forward()
            self.assertEqual(set(model.output("D")[0]), {1.0})

    def test_rate_zero_costs_nothing(self):
        plain = self.model(DROPPED, "dropped", rate=0)
        kernels = plain.manifest["plan"]["kernels"]
        self.assertEqual(plain.manifest["plan"]["tables"], [])
        dropped = self.model(DROPPED, "dropped")
        self.assertNotEqual(dropped.manifest["plan"]["tables"], [])
        self.assertLessEqual(len(kernels), len(dropped.manifest["plan"]["kernels"]))
        dropped.training(False)
        self.assertEqual(plain.forward(), dropped.forward())

    def test_streams(self):
        """What a connection adds up can be dropped, too; evaluation drops nothing."""
        text = DROPPED.replace("loss", """let h = trunk(s) { a = hyper_connections(n = 3, join = JOIN) : mlp(8); };
  loss""").replace("mse(s, y)", "mse(h, y)")
        plain, dropped = (self.model(text.replace("JOIN", join), "dropped", rate=0)
                          for join in ("add", "add(dropout = 0.5)"))
        for model in (plain, dropped):
            model.set_input("y", [k % 5 - 1.0 for k in range(3 * 7 * 48)])
        self.assertNotAlmostEqual(plain.forward(), dropped.forward(), delta=1e-4)
        dropped.training(False)
        self.assertAlmostEqual(plain.forward(), dropped.forward(), delta=1e-6)

    def test_layers_share_kernels(self):
        """Which call it is, is data: more layers, no more code."""
        counts = []
        for depth in (4, 7):
            text = DRAWS.replace("repeat 2", f"repeat {depth}").replace("  probe", "  // probe")
            counts.append(len(self.model(text, "draws").manifest["plan"]["kernels"]))
        self.assertEqual(*counts)

    def test_threads_and_gradients(self):
        losses = []
        for threads in (1, 2, 3):
            model = self.model(DROPPED, "dropped", samples=9, positions=16, threads=threads)
            log = []
            for _ in range(5):
                log.append(model.forward())
                model.backward()
                model.step()
            losses.append(log)
        self.assertEqual(losses[0], losses[1])
        self.assertEqual(losses[0], losses[2])
        for name, text in (("draws", DRAWS), ("dropped", DROPPED)):
            self.expect(harness.hcc("gradcheck", self.write(f"{name}.hc", text.encode())))


if __name__ == "__main__":
    harness.main(__name__)
