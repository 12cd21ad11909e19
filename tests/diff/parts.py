#!/usr/bin/env python3
"""A batch in parts (`batch 8 in 4`) is the whole batch: in double precision its loss, metrics, gradients,
buffers and values a position are the same but for rounding, and the same bits for every number of
threads. Of models in which something needs all samples: weights of a loss that differ from part to
part, means over the batch within the forward pass, buffers, experts, random numbers.
"""

import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Failure, Model, build, harness

SAMPLES, CONTEXT = 8, 6
EVERYTHING = """use std;
branch centred() : x[d] -> y[d] {
  param g[d] = 1;
  buffer seen[d] = 0;
  let m[c] = batch_mean(x[c]);
  let v[c] = batch_mean((x[c] - m[c])^2);
  update seen[c] = 0.9 * seen[c] + 0.1 * m[c];
  let y[c] = g[c] * (x[c] - m[c]) / sqrt(v[c] + 0.1) + 0.1 * seen[c];
}
model everything {
  const vocab = 11, context = %d, d = 16, n = 2;
  positions t <= context;
  input  tokens[t] : token(vocab);
  input  scale     : real;
  target next[t]   : token(vocab);
  target amount    : real;
  param E[vocab, d], U[vocab, d] ~ normal(0.5);
  param q[d] ~ normal(0.5);
  let x = embed(tokens, E) + position(t);
  let h = trunk(x) {
    attn = mhc(iters = 2)       : attention(2, causal = true, dropout = 0.2);
    norm = shc                  : BRANCH;
    moe  = mhc(iters = 2)       : moe(12, experts = 3, top = 2, balance = 0.3, dropout = 0.1);
  };
  let logits[v] = sum[c] U[v,c] * h[c];
  let guess = mean[t] (sum[c] q[c] * h[c]) + scale;
  probe guess;
  loss cross_entropy(logits, next) weight select(next < 4, 0, 1 + 0.1 * next);
  loss 0.5 * (guess - amount)^2 weight select(amount > 0, amount, 0);
  metric accuracy(logits, next) weight select(next < 4, 0, 1);
}
train everything { optimizer sgd(lr = 0.1); batch %d; steps 3; seed 1; }
""" % (CONTEXT, SAMPLES)
WIDE = """use std;
model wide {
  const vocab = 4200, context = 150, d = 64;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.3);
  param b[vocab] ~ normal(0.1);
  let x = embed(tokens, E);
  let h[c] = tanh(x[c]);
  let logits[v] = (sum[c] E[v,c] * h[c]) + b[v];
  loss cross_entropy(logits, next) weight select(next < 2000, 0, 1);
}
train wide { batch 8; steps 3; seed 1; }
"""


def fill(model, samples):
    """Every input, with numbers of its own."""
    numbers = random.Random(5)
    for entry in model.manifest["inputs"]:
        count = samples * (model.manifest["space"]["maximum"] if entry["domain"] == "position" else 1)
        integer = entry["element"] == "i32"
        model.set_input(entry["name"], [numbers.randrange(entry["limit"]) if integer
                                        else numbers.uniform(-1, 1) for _ in range(count)])


class Batch:
    """What one step says of a batch that is run in so many parts."""

    def __init__(self, path, parts, threads=1, samples=SAMPLES, outputs=()):
        with Model(path, threads=threads) as model:
            model.recipe("batch", f"{samples} in {parts}" if parts > 1 else samples)
            model.resize(samples, model.manifest["space"]["maximum"])
            model.init(3)
            fill(model, samples)
            self.losses, self.outputs = [], {}
            for _ in range(2):
                model.forward_backward()
                self.losses.append(model.loss())
                self.gradients = {name: list(p.gradient) for name, p in model.parameters.items()}
                for name in outputs:
                    self.outputs[name] = model.output(name)
                model.step(0.05)
            self.values = {name: list(p.data) for name, p in model.parameters.items()}
            self.forward = model.forward()
            model.backward()
            self.apart = {name: list(p.gradient) for name, p in model.parameters.items()}
            self.memory = model.manifest["plan"]["regions"]["position"]


class Parts(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="hcc-parts-")
        cls.addClassCleanup(shutil.rmtree, folder)
        text = os.path.join(folder, "everything.hc")
        with open(text, "w", encoding="utf-8") as file:
            file.write(EVERYTHING.replace("BRANCH", "centred()"))
        cls.everything = build(os.path.join(folder, "everything.so"), file=text, f64=True)

    def model(self, text):
        return build(self.path("parts.so"), file=self.write("parts.hc", text.encode()), f64=True)

    def close(self, what, mine, wanted, tolerance, least=0):
        """Relative to the largest number; of what cancels to next to nothing, to `least`."""
        self.assertEqual(len(mine), len(wanted), what)
        scale = max(max(map(abs, wanted), default=0), least) or 1
        gap = max((abs(a - b) for a, b in zip(mine, wanted)), default=0)
        self.assertLessEqual(gap / scale, tolerance, what)

    def compare(self, path, parts, outputs=(), samples=SAMPLES, tolerance=1e-10):
        """Sums in another order, and a step between, which divides gradients by their size."""
        whole = Batch(path, 1, samples=samples, outputs=outputs)
        for count in parts:
            found = Batch(path, count, samples=samples, outputs=outputs)
            self.close(f"losses in {count}", found.losses + [found.forward],
                       whole.losses + [whole.forward], tolerance)
            for name, (values, dims) in found.outputs.items():
                self.assertEqual(dims, whole.outputs[name][1])
                self.close(f"{name} in {count}", values, whole.outputs[name][0], tolerance)
            for kind in ("gradients", "values", "apart"):
                largest = max(abs(x) for values in getattr(whole, kind).values() for x in values)
                for name, wanted in getattr(whole, kind).items():
                    self.close(f"{kind} of {name} in {count}", getattr(found, kind)[name], wanted,
                               tolerance, 1e-6 * largest)
            more = Batch(path, count, threads=3, samples=samples, outputs=outputs)
            self.assertEqual(vars(more), vars(found), f"three threads, in {count}")

    def test_everything(self):
        with Model(self.everything) as model:
            rounds = model.manifest["plan"]["parts"]["rounds"]
        self.assertGreater(len(rounds), 3)  # means, their gradients, weights
        self.compare(self.everything, (2, 8), ("loss", "accuracy", "logits", "guess"))

    def test_one_round_is_enough_where_nothing_needs_all_samples(self):
        path = self.model(EVERYTHING.replace("BRANCH", "mlp(8)")
                          .replace("mhc(iters = 2)", "shc").replace("balance = 0.3", "balance = 0")
                          .replace(" weight select(next < 4, 0, 1 + 0.1 * next)", "")
                          .replace(" weight select(amount > 0, amount, 0)", ""))
        with Model(path) as model:
            self.assertEqual(len(model.manifest["plan"]["parts"]["rounds"]), 1)
        self.compare(path, (4,), ("accuracy", "logits"))

    def test_chunks_of_a_wide_value(self):
        path = self.model(WIDE)
        with Model(path) as model:
            self.assertIn("chunks", model.manifest["plan"])
        self.compare(path, (4,))

    def test_batches_that_do_not_come_in_such_parts(self):
        """An evaluation's last batch, say: its parts are equal, and no larger than the recipe's."""
        with Model(self.everything) as model:
            model.init(1)
            for samples in (8, 6, 7, 1):
                losses = []
                for recipe in ("8", "8 in 2"):
                    model.recipe("batch", recipe)
                    model.resize(samples, CONTEXT)
                    fill(model, samples)
                    losses.append(model.forward())
                self.close(f"{samples} samples", losses[:1], losses[1:], 1e-13)

    def test_what_is_no_batch(self):
        with Model(self.everything) as model:
            for wrong in ("8 in 3", "8 in 0", "8 in", "in 2", "8 in 16", "8 in 2 in 2"):
                with self.assertRaises(Failure):
                    model.recipe("batch", wrong)
            with self.assertRaises(Failure):
                model.recipe("parts", 2)
            model.recipe("batch", "8 in 8")


if __name__ == "__main__":
    harness.main(__name__)
