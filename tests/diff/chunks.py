#!/usr/bin/env python3
"""A loss over a large vocabulary: its logits are never whole in memory, and nobody can tell.

Against PyTorch, against itself with all logits kept, and for every number of threads. The batch has
several chunks of positions and a last one that is not full.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")

if not MISSING:
    import numpy as np
    import torch
    import torch.nn.functional as F

VOCAB, CONTEXT, D, SAMPLES = 5000, 300, 64, 5
MODEL = """
use std;
model wide {
  const vocab = %d, context = %d, d = %d;
  positions t <= context causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.3);
  param W[d, d] ~ normal(0.1);
  param b[vocab] ~ normal(0.1);
  let x = embed(tokens, E);
  let h[c] = tanh(sum[k] W[c,k] * x[k]);
  let logits[v] = (sum[c] HEAD[v,c] * h[c]) + b[v];
  LOSS
}
train wide { optimizer adamw(lr = 1e-3); batch %d; steps 3; seed 1; }
""" % (VOCAB, CONTEXT, D, SAMPLES)
PLAIN = "loss cross_entropy(logits, next);"
WEIGHTED = "loss cross_entropy(logits, next) weight select(next < 2000, 0, 1);"


@harness.unittest.skipIf(MISSING, MISSING)
class Chunks(harness.TestCase):
    def model(self, name, loss=PLAIN, tied=True):
        text = MODEL.replace("LOSS", loss).replace("HEAD", "E" if tied else "U")
        if not tied:
            text = text.replace("  param W", "  param U[vocab, d] ~ normal(0.2);\n  param W")
        return build(self.path(name + ".so"), file=self.write(name + ".hc", text.encode()))

    def fill(self, model, seed=0):
        numbers = np.random.default_rng(seed)
        size = (SAMPLES, CONTEXT)
        tokens, following = (numbers.integers(0, VOCAB, size) for _ in range(2))
        model.init(1)
        model.set_input("tokens", tokens.ravel().tolist())
        model.set_input("next", following.ravel().tolist())
        return tokens, following

    def gradients(self, model):
        return {name: np.array(p.gradient) for name, p in model.parameters.items()}

    def same(self, what, mine, other):
        for name, gradient in mine.items():
            self.assertTrue(np.array_equal(gradient, other[name]), f"{what}: {name}")

    def together(self, model):
        """The loss and the gradients of one visit."""
        for p in model.parameters.values():
            np.ctypeslib.as_array(p.gradient)[:] = 7
        model.forward_backward()
        return model.loss(), self.gradients(model)

    def apart(self, model):
        for p in model.parameters.values():
            np.ctypeslib.as_array(p.gradient)[:] = 7
        loss = model.forward()
        model.backward()
        return loss, self.gradients(model)

    def twin(self, model, tokens, following, weighted):
        """Loss and gradients by PyTorch, in double precision."""
        p = {name: torch.tensor(np.array(x.data), dtype=torch.float64).reshape(x.dims)
             .requires_grad_() for name, x in model.parameters.items()}
        tokens, following = torch.tensor(tokens), torch.tensor(following)
        h = torch.tanh(p["E"][tokens] @ p["W"].T)
        logits = h @ p.get("U", p["E"]).T + p["b"]
        losses = F.cross_entropy(logits.reshape(-1, VOCAB), following.ravel(), reduction="none")
        weight = (following.ravel() >= 2000).double() if weighted else torch.ones_like(losses)
        loss = (losses * weight).sum() / weight.sum()
        loss.backward()
        return loss.item(), {name: x.grad.numpy().ravel() for name, x in p.items()}, logits

    def compare(self, name, loss, tied):
        path = self.model(name, loss, tied)
        with Model(path) as model:
            chunks = model.manifest["plan"]["chunks"]
            wide = model.manifest["plan"]["regions"]["position"]
            self.assertLess(wide, 4 * VOCAB, "logits whole in memory")
            tokens, following = self.fill(model)
            wanted, gradients, logits = self.twin(model, tokens, following, loss is WEIGHTED)
            one = self.together(model)
            self.assertLess(abs(one[0] - wanted), 1e-5)
            for key, gradient in gradients.items():
                gap = np.abs(one[1][key] - gradient).max() / np.abs(gradient).max()
                self.assertLess(gap, 1e-5, key)
            two = self.apart(model)
            self.assertEqual(one[0], two[0])
            self.same("forward, then backward", one[1], two[1])
            found, dims = model.output("logits")  # whole from here on
            self.assertEqual(dims, [SAMPLES, CONTEXT, VOCAB])
            gap = np.abs(np.array(found).reshape(-1) - logits.detach().numpy().ravel()).max()
            self.assertLess(gap, 1e-4)
            for way in (self.together, self.apart):
                three = way(model)
                self.assertEqual(one[0], three[0])
                self.same("with all logits kept", one[1], three[1])
        for threads in (2, 3):
            with Model(path, threads=threads) as model:
                self.fill(model)
                other = self.together(model)
                self.assertEqual(one[0], other[0])
                self.same(f"{threads} threads", one[1], other[1])
        print(f"{name}: loss {one[0]:.6f}, chunks {chunks}", flush=True)

    def test_tied(self):
        self.compare("tied", PLAIN, True)

    def test_untied(self):
        self.compare("untied", PLAIN, False)

    def test_weighted(self):
        self.compare("weighted", WEIGHTED, True)

    def test_short_batch(self):
        """Less than a chunk, and again more: what a chunk leaves behind does not matter."""
        path = self.model("short")
        with Model(path) as model:
            self.fill(model)
            before = self.together(model)
            model.resize(1, 7)
            model.set_input("tokens", list(range(7)))
            model.set_input("next", list(range(1, 8)))
            short = self.together(model)
            self.same("short", short[1], self.apart(model)[1])
            model.resize(SAMPLES, CONTEXT)
            self.fill(model)
            after = self.together(model)
            self.assertEqual(before[0], after[0])
            self.same("after a short batch", before[1], after[1])


if __name__ == "__main__":
    harness.main(__name__)
