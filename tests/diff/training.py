#!/usr/bin/env python3
"""What a program of training knows and keeps: the step and how many there are, numbers drawn once for
a sample or a step, and parameters that are held to constraints."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

SAMPLES, POSITIONS, WIDTH = 4, 5, 6
DIVERGED = 6

HELD = """
fn sphere(x[n]) -> y[n] {
  let r = 1 / sqrt(sum[i] x[i]^2);
  let y[i] = r * x[i];
}
branch held() : x[d] -> y[d] {
  param U[2 * d, d], D[d, 2 * d] ~ normal(0.3);
  param g[d] = 3;
  buffer low = 0.5;
  update low = 0.9 * low;
  KEEP
  let u[k] = tanh(sum[c] U[k,c] * x[c]);
  let y[c] = g[c] * sum[k] D[c,k] * u[k] + 0 * low;
}
model held {
  const d = 6;
  positions t <= 5;
  input  x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { repeat 2 { a = residual : held; b = residual : mlp(d); } };
  loss mse(h, y);
}
"""
KEEP = """project U[k, c] = sphere(U[k])[c], g[c] = clamp(g[c], low, 2);
  project D[c, k] = sphere(D[c])[k];"""

COUNTS = """
model counts {
  positions t <= 5;
  input  x[t, 6] : real;
  target y[t, 6] : real;
  param  p[6] = 1;
  buffer seen = -1, all = -1;
  update seen = step, all = steps;
  let z[c] = p[c] * x[c];
  let now = 0 * z[0] + step;
  let part = 0 * z[0] + step / steps;
  let drawn = random(each = sample), once = random(each = step);
  let each[c < 3] = random(each = sample), like = random(z, each = sample);
  output now; output part; output drawn; output once; output each; output like;
  loss mse(z, y) + 0 * (now + part + drawn + once + each[0] + like[0]);
}
train counts { steps 8; }
"""

TEXT = """
model k {
  const v = 256;
  positions t <= 4;
  input  tokens[t] : token(v);
  target next[t]   : token(v);
  param T[v, 8] ~ normal(1);
  project T[k, c] = T[k, c] * rsqrt(sum[a] T[k, a]^2);
  let x = embed(tokens, T);
  let keep = select(random(each = sample) < 0.2 * training * step / steps, 0, 1);
  let logits[j] = 9 * keep * sum[c] T[j,c] * x[c];
  let share = 0 * x[0] + step / steps;
  loss cross_entropy(logits, next);
  metric share;
}
train k { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; } batch 4; steps 12; eval_every 4; }
"""


def dot(a):
    return sum(x * x for x in a)


class Training(harness.TestCase):
    def model(self, text, threads=1, f64=True, samples=SAMPLES, **constants):
        path = build(self.path(f"m-{len(os.listdir(self.folder))}.so"), f64=f64, file=self.write("m.hc", text),
                     **constants)
        model = Model(path, samples, POSITIONS, threads)
        self.addCleanup(model.close)
        model.init(3)
        return model

    def fill(self, model, draw, samples=SAMPLES):
        for name in ("x", "y"):
            model.set_input(name, [draw.gauss(0, 1) for _ in range(samples * POSITIONS * WIDTH)])

    def turn(self, model, draw):
        self.fill(model, draw)
        model.forward_backward()
        model.step()

    def hold(self, model):
        """By hand what the model says."""
        for block in range(2):
            low = model.parameters[f"trunk.{block}.a.low"].data[0]
            g = model.parameters[f"trunk.{block}.a.g"].data
            g[:] = [min(max(x, low), 2) for x in g]
            for name, row in (("U", WIDTH), ("D", 2 * WIDTH)):
                data = model.parameters[f"trunk.{block}.a.{name}"].data
                for k in range(0, len(data), row):
                    size = dot(data[k:k + row]) ** 0.5
                    data[k:k + row] = [x / size for x in data[k:k + row]]

    def test_constraints(self):
        """With every optimiser the same as a model without, whose parameters are held by hand."""
        for optimizer in ("adamw", "sgd", "lion", "muon"):
            with self.subTest(optimizer):
                held = self.model(HELD.replace("KEEP", KEEP), train__optimizer=f"{optimizer}(lr = 0.05)")
                free = self.model(HELD.replace("KEEP", ""), train__optimizer=f"{optimizer}(lr = 0.05)")
                draws = random.Random(1), random.Random(1)
                for _ in range(5):
                    self.hold(free)
                    for name, p in held.parameters.items():
                        for a, b in zip(p.data, free.parameters[name].data):
                            self.assertAlmostEqual(a, b, delta=1e-12, msg=name)
                    for model, draw in zip((held, free), draws):
                        self.turn(model, draw)
                U = held.parameters["trunk.1.a.U"].data
                self.assertAlmostEqual(dot(U[:WIDTH]), 1, delta=1e-14)

    def test_threads(self):
        known = None
        for threads in (1, 2, 3):
            model, draw = self.model(HELD.replace("KEEP", KEEP), threads, f64=False), random.Random(2)
            for _ in range(3):
                self.turn(model, draw)
            state = {name: list(p.data) for name, p in model.parameters.items()}
            known = known or state
            self.assertEqual(state, known)

    def test_no_pass_makes_them(self):
        """What only constraints need runs after a step alone, and what they are is told."""
        path = self.write("held.hc", HELD.replace("KEEP", KEEP))
        manifest = self.model(HELD.replace("KEEP", KEEP)).manifest["plan"]
        self.assertEqual(len(manifest["outputs"]["projects"]), 6)
        self.assertEqual(manifest["keep"]["alone"], manifest["keep"]["calls"])
        info = json.loads(self.expect(harness.hcc("info", path, "--json")).out)
        self.assertEqual(len(info["held"]), 6)
        self.assertIn("held by project       6 tensors", self.expect(harness.hcc("info", path)).out)

    def test_refused(self):
        """What cannot be held changes nothing."""
        model = self.model(HELD.replace("KEEP", KEEP))
        self.turn(model, random.Random(1))
        U = model.parameters["trunk.0.a.U"].data
        U[:] = [0.0] * len(U)
        status = model.library.held_project(model.context)
        self.assertEqual(status, DIVERGED)
        self.assertEqual(set(U), {0.0})

    def test_steps(self):
        model, draw = self.model(COUNTS), random.Random(4)
        for step in range(3):
            self.turn(model, draw)
            self.assertEqual(set(model.output("now")[0]), {step})
            self.assertEqual(set(model.output("part")[0]), {step / 8})
            self.assertEqual(list(model.parameters["seen"].data), [step])
            self.assertEqual(list(model.parameters["all"].data), [8])
        model.save(self.path("saved.safetensors"))
        other = self.model(COUNTS, train__steps=99)
        other.load(self.path("saved.safetensors"))
        self.fill(other, draw)
        other.training(False)
        other.forward()
        self.assertEqual(set(other.output("part")[0]), {3 / 8}, "of the run that it was read from")
        other.training(True)
        other.forward()
        self.assertEqual(set(other.output("now")[0]), {0}, "of its own training")

    def test_draws(self):
        model, draw = self.model(COUNTS, samples=5), random.Random(4)
        seen = set()
        for _ in range(2):
            self.fill(model, draw, 5)
            model.forward_backward()
            drawn, like = model.output("drawn")[0], model.output("like")[0]
            self.assertEqual([len(set(model.output(name)[0])) for name in ("drawn", "once", "each", "like")],
                             [5, 1, 15, 30])
            self.assertTrue(all(0 <= u < 1 for u in drawn + like))
            self.assertFalse(seen & set(drawn + like + model.output("once")[0]))
            seen |= set(drawn + like + model.output("once")[0])
            model.step()

    def train(self, name, *arguments):
        text = self.write("text.txt", b"the quick brown fox jumps over the lazy dog. " * 40)
        run = self.path(name)
        self.expect(harness.hcc("train", self.write("k.hc", TEXT), "--data", text, "--out", run, *arguments))
        with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        with open(os.path.join(run, "ckpt", "final.safetensors"), "rb") as file:
            return [line["loss"] for line in lines if "loss" in line], file.read()

    def test_runs(self):
        """In parts, after a break and in another's hands: the same constraints, draws and steps."""
        losses, weights = self.train("whole")
        parts, _ = self.train("parts", "--set", "train.batch=4 in 2")
        for a, b in zip(losses, parts):
            self.assertAlmostEqual(a, b, delta=1e-5)
        half, _ = self.train("half", "--set", "train.save_every=5", "--set", "train.keep=9")
        run = self.path("half")
        self.expect(harness.hcc("train", "--resume", os.path.join(run, "ckpt", "step-5"), "--force"))
        with open(os.path.join(run, "ckpt", "final.safetensors"), "rb") as file:
            self.assertEqual(file.read()[-4000:], weights[-4000:])
        self.assertEqual(half, losses)
        said = self.expect(harness.hcc("eval", run)).out
        self.assertIn("share 1.0000", said)
        with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as file:
            shares = [line["val_metrics"]["share"] for line in map(json.loads, file) if "val_metrics" in line]
        self.assertAlmostEqual(shares[0], 4 / 12, delta=1e-6)


if __name__ == "__main__":
    harness.main(__name__)
