#!/usr/bin/env python3
"""Optimisers that PyTorch lacks against transcriptions of their authors' code, over some steps of a schedule.

A step's gradients, as they lie in the model, go through both, and the parameters must agree, in f64 to 1e-12.
Without NumPy (here, or in $HCC_TORCH_PYTHON) everything is skipped.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MISSING = harness.lacking("numpy")

if not MISSING:
    import numpy as np

TEXT = """
use std;
model m {
  const d = 8, vocab = 13;
  positions t <= 6;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.5);
  param g[d] = 1 nodecay lr(0.5);
  let x[k] = g[k] * embed(tokens, E)[k];
  let h = trunk(x) { %s };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
train m {
  optimizer %s;
  schedule wsd(warmup = 2, decay = 0.5, floor = 0.25);
  connection_lr 0.25; steps 8; clip 0.5;
}
"""
STEPS, TURNS, SHAPE, CLIP = 8, [0, 1, 3, 7], [0.5, 1, 1, 0.25], 0.5  # as in TEXT


class Lion:
    """github.com/google/automl, lion/lion_pytorch.py."""

    def __init__(self, rate, betas, decay):
        self.rate, self.betas, self.decay, self.exp_avg = rate, betas, decay, {}

    def step(self, name, p, grad, scale, decays):
        lr, (beta1, beta2) = self.rate * scale, self.betas
        p *= 1 - lr * (self.decay if decays else 0)
        exp_avg = self.exp_avg.setdefault(name, np.zeros_like(p))
        p -= lr * np.sign(exp_avg * beta1 + grad * (1 - beta1))
        exp_avg *= beta2
        exp_avg += grad * (1 - beta2)


class Muon:
    """github.com/KellerJordan/Muon, muon.py: MuonWithAuxAdam, in f64; `matrices` are told by name."""

    def __init__(self, matrices, rate, momentum, adamw_rate, betas, eps, decay):
        self.matrices, self.rate, self.momentum, self.decay = matrices, rate, momentum, decay
        self.adamw_rate, self.betas, self.eps, self.state = adamw_rate, betas, eps, {}

    @staticmethod
    def zeropower_via_newtonschulz5(G, steps=5):
        a, b, c = 3.4445, -4.7750, 2.0315
        X = G.T if G.shape[0] > G.shape[1] else G
        X = X / (np.linalg.norm(X) + 1e-7)
        for _ in range(steps):
            A = X @ X.T
            X = a * X + (b * A + c * A @ A) @ X
        return X.T if G.shape[0] > G.shape[1] else X

    def step(self, name, p, grad, scale, decays):
        decay = self.decay if decays else 0
        kind = next((kind for end, kind in self.matrices.items() if name.endswith(end)), None)
        if not kind:
            self.adamw(name, p, grad, self.adamw_rate * scale, decay)
            return
        lr = self.rate * scale
        buffer = self.state.setdefault(name, np.zeros_like(p))
        buffer += (1 - self.momentum) * (grad - buffer)
        update = grad + self.momentum * (buffer - grad)
        p *= 1 - lr * decay
        axes, split = kind  # the order in which axes are to stand; how many are apart, and are rows
        of, to = update.transpose(axes), p.transpose(axes)
        rows = int(np.prod(of.shape[split[0]:split[1]]))
        for i in np.ndindex(of.shape[:split[0]]):
            turned = self.zeropower_via_newtonschulz5(of[i].reshape(rows, -1))
            turned *= max(1, turned.shape[0] / turned.shape[1]) ** 0.5
            to[i] -= lr * turned.reshape(of[i].shape)

    def adamw(self, name, p, grad, lr, decay):
        m, v, step = self.state.get(name, (0, 0, 0))
        m, v = (b * old + (1 - b) * new for b, old, new in
                zip(self.betas, (m, v), (grad, grad ** 2)))
        self.state[name] = m, v, step + 1
        m, v = (x / (1 - b ** (step + 1)) for b, x in zip(self.betas, (m, v)))
        p *= 1 - lr * decay
        p -= lr * m / (np.sqrt(v) + self.eps)


@harness.unittest.skipIf(MISSING, MISSING)
class Optimizers(harness.TestCase):
    def open(self, trunk, optimizer):
        path = self.write("m.hc", TEXT % (trunk, optimizer))
        model = Model(build(path[:-3] + ".so", file=path, f64=True), samples=3)
        self.addCleanup(model.close)
        model.init(1)
        tokens = np.random.default_rng(2).integers(0, 13, (2, 18))
        model.set_input("tokens", tokens[0].tolist())
        model.set_input("next", tokens[1].tolist())
        return model

    @staticmethod
    def array(p, data):
        return np.ctypeslib.as_array(data).reshape(p.dims).copy()

    def compare(self, trunk, text, optimizer):
        model = self.open(trunk, text)
        twins = {name: self.array(p, p.data) for name, p in model.parameters.items()}
        scales = {p["name"]: p["lr_scale"] * (0.25 if p["of_connection"] else 1)
                  for p in model.manifest["params"]}
        self.assertEqual(set(scales.values()), {1, 0.5, 0.25})
        for step in range(STEPS):
            model.forward_backward()
            grads = {name: self.array(p, p.gradient) for name, p in model.parameters.items()}
            norm = np.sqrt(sum((g ** 2).sum() for g in grads.values()))
            clip = min(1, CLIP / (norm + 1e-6))
            for p in model.manifest["params"]:
                name = p["name"]
                optimizer.step(name, twins[name], grads[name] * clip,
                               np.interp(step, TURNS, SHAPE) * scales[name], p["decay"])
            model.step()
            for name, p in model.parameters.items():
                gap = np.linalg.norm(self.array(p, p.data) - twins[name])
                self.assertLess(gap, 1e-12 * np.linalg.norm(twins[name]), f"{name}, step {step}")

    def test_lion(self):
        self.compare("mlp = shc(n = 2) : linear(d);",
                     "lion(lr = 0.03, betas = (0.8, 0.9), weight_decay = 0.125)",
                     Lion(0.03, (0.8, 0.9), 0.125))

    def test_muon(self):
        self.compare("a = shc(n = 2) : attention(2); b = shc(n = 2) : moe(12, experts = 3);",
                     "muon(lr = 0.02, momentum = 0.9, adamw_lr = 0.01, betas = (0.8, 0.9), "
                     "eps = 1e-6, weight_decay = 0.125)",
                     Muon({"a.Wq": ((0, 1, 2), (0, 2)), "a.Wk": ((0, 1, 2), (0, 2)),
                           "a.Wv": ((0, 1, 2), (0, 2)), "a.Wo": ((0, 1, 2), (0, 1)),
                           "b.R": ((0, 1), (0, 1)), "b.W1": ((0, 1, 2), (1, 2)),
                           "b.W2": ((1, 0, 2), (1, 2))},
                          0.02, 0.9, 0.01, (0.8, 0.9), 1e-6, 0.125))


if __name__ == "__main__":
    harness.main(__name__)
