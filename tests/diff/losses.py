#!/usr/bin/env python3
"""Losses, their weights and their gradients against PyTorch's; and what has no counterpart there:
weights that are all zero, and held-out losses whose batches weigh differently."""

import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MISSING = harness.lacking("torch")
if not MISSING:
    import torch
    import torch.nn.functional as F

SAMPLES, POSITIONS, CLASSES, WIDTH = 3, 5, 7, 4

MODEL = """
model losses {
  const ignored = 2;
  positions t <= 8;
  input  x[t, 4]   : real;
  input  w[t]      : real;
  input  s         : real;
  target class[t]  : token(7);
  target truth[t]  : real;
  param  A[7, 4], B[4] = 0;
  let logits[v] = sum[c] A[v,c] * x[c];
  let logit     = sum[c] B[c] * x[c];
  LOSS
  metric accuracy(logits, class) weight select(class == ignored, 0, 1);
}
"""

CASES = {
    "ignored": "loss cross_entropy(logits, class) weight select(class == ignored, 0, 1);",
    "weighed": "loss cross_entropy(logits, class) weight w;",
    "by sample": "loss cross_entropy(logits, class) weight s * w;",
    "for samples": "loss cross_entropy(logits, class) weight s;",
    "smoothed": "loss cross_entropy(logits, class, 0.2);",
    "smoothed and weighed": "loss cross_entropy(logits, class, smoothing = 0.1) weight w;",
    "binary": "loss binary_cross_entropy(logit, truth);",
    "binary weighed": "loss binary_cross_entropy(logit, truth)\n    weight w;",
    "two": "loss cross_entropy(logits, class) weight w; loss binary_cross_entropy(logit, truth);",
}



def reference(case, x, w, s, classes, truth, a, b):
    logits, logit = x @ a.T, x @ b
    entropy = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none")
    entropy = entropy.view(classes.shape)
    if case == "smoothed":
        return F.cross_entropy(logits.flatten(0, 1), classes.flatten(), label_smoothing=0.2)
    if case == "smoothed and weighed":
        entropy = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="none",
                                  label_smoothing=0.1).view(classes.shape)
        return (w * entropy).sum() / w.sum()
    if case == "ignored":
        return F.cross_entropy(logits.flatten(0, 1), classes.flatten(), ignore_index=2)
    if case == "for samples":
        return (s[:, None] * entropy).sum() / (s.sum() * classes.shape[1])
    if case in ("weighed", "by sample", "two"):
        weight = w * s[:, None] if case == "by sample" else w
        weighed = (weight * entropy).sum() / weight.sum()
        return weighed + (F.binary_cross_entropy_with_logits(logit, truth) if case == "two" else 0)
    if case == "binary":
        return F.binary_cross_entropy_with_logits(logit, truth)
    return F.binary_cross_entropy_with_logits(logit, truth, weight=w, reduction="sum") / w.sum()


class Losses(harness.TestCase):
    def model(self, case):
        text = MODEL.replace("LOSS", CASES[case])
        path = build(self.path(f"losses-{len(os.listdir(self.folder))}.so"), f64=True,
                     file=self.write("losses.hc", text))
        model = Model(path, SAMPLES, POSITIONS)
        self.addCleanup(model.close)
        return model

    def fill(self, model):
        draw = random.Random(5)
        n = SAMPLES * POSITIONS
        values = {"x": [draw.gauss(0, 1) for _ in range(n * WIDTH)],
                  "w": [draw.random() for _ in range(n)],
                  "s": [draw.random() for _ in range(SAMPLES)],
                  "class": [draw.randrange(CLASSES) for _ in range(n)],
                  "truth": [float(draw.randrange(2)) for _ in range(n)]}
        for name, data in values.items():
            model.set_input(name, data)
        for p in model.parameters.values():
            p.data[:] = [draw.gauss(0, 1) for _ in p.data]
        return values

    @harness.unittest.skipIf(MISSING, MISSING)
    def test_against_torch(self):
        for case in CASES:
            with self.subTest(case):
                model = self.model(case)
                values = self.fill(model)
                tensor = {name: torch.tensor(data, dtype=torch.float64)
                          for name, data in values.items()}
                grid = (SAMPLES, POSITIONS)
                a, b = (torch.tensor(list(model.parameters[name].data), dtype=torch.float64)
                        for name in "AB")
                a, b = a.view(CLASSES, WIDTH).requires_grad_(), b.requires_grad_()
                loss = reference(case, tensor["x"].view(*grid, WIDTH), tensor["w"].view(grid),
                                 tensor["s"], tensor["class"].long().view(grid),
                                 tensor["truth"].view(grid), a, b)
                self.assertAlmostEqual(model.forward(), loss.item(), delta=1e-12)
                model.backward()
                loss.backward()
                for name, want in (("A", a), ("B", b)):
                    if want.grad is None:
                        continue
                    got = torch.tensor(list(model.parameters[name].gradient), dtype=torch.float64)
                    self.assertLess((got - want.grad.flatten()).abs().max().item(), 1e-12)

    def test_nothing_counts(self):
        """All weights 0: the loss is 0 and so are its gradients, nowhere NaN."""
        for case in ("weighed", "by sample", "binary weighed"):
            with self.subTest(case):
                model = self.model(case)
                self.fill(model)
                model.set_input("w", [0.0] * (SAMPLES * POSITIONS))
                self.assertEqual(model.forward(), 0)
                model.backward()
                for p in model.parameters.values():
                    self.assertEqual(set(p.gradient), {0.0})

    def test_held_out_batches_weigh_by_what_counts(self):
        text = b"".join(bytes([97 + k * k % 7] * (1 + k % 23)) for k in range(400))
        data = self.write("text.txt", text)
        losses = []
        for batch in (1, 4):
            file = self.write("weighed.hc", """
model weighed {
  positions t <= 8;
  input  tokens[t] : token(256);
  target next[t]   : token(256);
  param W[256, 256] ~ normal(1);
  let logits = embed(tokens, W);
  loss cross_entropy(logits, next) weight select(next == tokens, 0, 1);
  metric cross_entropy(logits, next) weight select(next == tokens, 1, 0);    // of the others
  penalty 3;
}
train weighed {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.5; }
  optimizer sgd(lr = 0); steps 1;
}
""")
            run = self.path(f"run{batch}")
            self.expect(harness.hcc("train", file, "--data", data, "--out", run,
                                    "--set", f"train.batch={batch}"))
            result = self.expect(harness.hcc("eval", run, "--json"))
            result = json.loads(result.out)
            losses.append((result["val_loss"], result["val_metrics"]["cross_entropy"]))
        print(f"held-out loss by batches of 1 and 4: {losses}")
        for a, b in zip(*losses):
            self.assertAlmostEqual(a, b, delta=1e-5)
        self.assertNotAlmostEqual(*losses[0], delta=0.1)
        self.assertLess(losses[0][0], math.log(256) + 2, "without the penalty")


if __name__ == "__main__":
    harness.main(__name__)
