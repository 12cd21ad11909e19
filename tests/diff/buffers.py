#!/usr/bin/env python3
"""Buffers: what training changes without a gradient, step by step, in checkpoints and out of them."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Failure, Model, build, harness

SAMPLES, POSITIONS, WIDTH = 5, 9, 6

MODEL = """
/// Shifts by a running mean of its inputs, and counts.
branch centred(rate = 0.25) : x[d] -> y[d] {
  buffer centre[d] = 0, turns = 0;
  buffer last = 0 shared;
  param g[d] = 1;
  update centre[c] = (1 - rate) * centre[c] + rate * x[c], turns = turns + 1;
  if site == sites - 1 {
    update last = last + centre[0];
  }
  let y[c] = g[c] * (x[c] - centre[c]) + 0 * turns * last;
}

model buffers {
  positions t <= 9;
  buffer one = 1, two = 2, steps = 0;
  input  x[t, 6] : real;
  target y[t, 6] : real;
  param  p[6] = 1;
  let z[c] = p[c] * x[c];
  let h = trunk(z) { repeat 2 { a = plain : centred; } };
  update one = two, two = one, steps = steps + training;
  loss mse(h, y) + 0 * one * two * steps;
}

connection plain() {
  state h[d];
  begin h = x;
  read  x = h;
  write h = y;
  end   x = h;
}
"""

TEXT = """
model counting {
  const limit = LIMIT;
  positions t <= 8;
  input  tokens[t] : token(256);
  target next[t]   : token(256);
  param W[256, 256] = 0;
  buffer seen[256] = 1;
  update seen[v] = seen[v] + 72 * onehot(next)[v];     // the mean over the batch's 72 targets
  let logits[v] = embed(tokens, W)[v] + log(seen[v]) / limit;
  loss cross_entropy(logits, next);
}
train counting {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.25; }
  optimizer sgd(lr = 0); steps 5; batch 9;
}
"""


class Buffers(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.draw = random.Random(3)

    def model(self, f64=True, threads=1):
        path = build(self.path(f"buffers-{len(os.listdir(self.folder))}.so"), f64=f64,
                     file=self.write("buffers.hc", MODEL))
        model = Model(path, SAMPLES, POSITIONS, threads)
        self.addCleanup(model.close)
        model.init(1)
        return model

    def fill(self, model, draw):
        x = [draw.gauss(1, 1) for _ in range(SAMPLES * POSITIONS * WIDTH)]
        model.set_input("x", x)
        model.set_input("y", [draw.gauss(0, 1) for _ in x])
        return [sum(x[c::WIDTH]) / (SAMPLES * POSITIONS) for c in range(WIDTH)]

    def buffer(self, model, name):
        return list(model.parameters[name].data)

    def test_values(self):
        model, draw = self.model(), random.Random(3)
        first, second, last = [0] * WIDTH, [0] * WIDTH, 0
        one, two = 1, 2
        for step in range(6):
            means = self.fill(model, draw)
            p, g = (list(model.parameters[name].data) for name in ("p", "trunk.0.a.g"))
            model.forward()
            model.forward()  # again: only a step changes buffers
            model.backward()
            model.step()
            last += second[0]
            inner = [g[c] * (p[c] * means[c] - first[c]) for c in range(WIDTH)]
            second = [0.75 * a + 0.25 * b for a, b in zip(second, inner)]
            first = [0.75 * a + 0.25 * p[c] * b for c, (a, b) in enumerate(zip(first, means))]
            one, two = two, one
            for name, wanted in (("trunk.0.a.centre", first), ("trunk.1.a.centre", second),
                                 ("trunk.0.a.turns", [step + 1]), ("trunk.centred.last", [last]),
                                 ("one", [one]), ("two", [two]), ("steps", [step + 1])):
                for a, b in zip(self.buffer(model, name), wanted):
                    self.assertAlmostEqual(a, b, delta=1e-13 * max(1, abs(b)), msg=name)
        self.assertNotIn("trunk.0.a.last", model.parameters)
        self.assertTrue(all(x == 0 for x in model.parameters["trunk.0.a.centre"].gradient))

    def test_threads(self):
        known = None
        for threads in (1, 2, 3):
            model, draw = self.model(f64=False, threads=threads), random.Random(4)
            for _ in range(5):
                self.fill(model, draw)
                model.forward()
                model.backward()
                model.step()
            state = {name: list(p.data) for name, p in model.parameters.items()}
            known = known or state
            self.assertEqual(state, known)

    def test_saved_and_restored(self):
        model, draw = self.model(), random.Random(5)
        for _ in range(3):
            self.fill(model, draw)
            model.forward()
            model.backward()
            model.step()
        path = self.path("saved.safetensors")
        model.save(path)
        other = self.model()
        other.load(path)
        self.fill(other, random.Random(6))
        self.fill(model, random.Random(6))
        self.assertEqual(model.forward(), other.forward())
        for name in model.parameters:
            self.assertEqual(self.buffer(model, name), self.buffer(other, name))
        model.init(1)
        self.assertEqual(self.buffer(model, "two"), [2.0], "init begins them anew")

    def test_not_finite(self):
        model = self.model()
        self.fill(model, self.draw)
        model.parameters["trunk.1.a.turns"].data[0] = float("inf")
        model.parameters["trunk.1.a.g"].data[:] = [0.0] * WIDTH
        before = {name: list(p.data) for name, p in model.parameters.items()}
        model.forward()
        model.backward()
        for p in model.parameters.values():
            p.gradient[:] = [0.0] * len(p.gradient)
        with self.assertRaisesRegex(Failure, "buffer trunk.1.a.turns is not finite"):
            model.step()
        self.assertEqual({name: list(p.data) for name, p in model.parameters.items()}, before)

    def test_commands(self):
        """Trained, evaluated and sampled from, the buffers are what training left."""
        data = self.write("text.txt", b"abcabcabd" * 60)
        file = self.write("counting.hc", TEXT.replace("LIMIT", "1"))
        runs = []
        for threads in (1, 3):
            run = self.path(f"run{threads}")
            self.expect(harness.hcc("train", file, "--data", data, "--out", run,
                                    "--threads", str(threads)))
            with open(os.path.join(run, "summary.json"), encoding="utf-8") as summary:
                trained = json.load(summary)
            self.assertEqual(trained["parameters"], 65536, "buffers are no parameters")
            held = json.loads(self.expect(harness.hcc("eval", run, "--json")).out)
            self.assertEqual(held["val_loss"], trained["val_loss"])
            with open(os.path.join(run, "ckpt", "final.safetensors"), "rb") as checkpoint:
                runs.append(checkpoint.read())
            sample = self.expect(harness.hcc("sample", run, "--length", "60", "--seed", "2"))
            likely = [c for c in sample.out if c in "abcd"]
            self.assertGreater(len(likely), 25, sample.out)
        self.assertEqual(runs[0] == runs[1], True, "one checkpoint, byte for byte")
        # log of counts: 1 + 5 * 72 * share; the others 1
        self.assertLess(held["val_loss"], 3)


if __name__ == "__main__":
    harness.main(__name__)
