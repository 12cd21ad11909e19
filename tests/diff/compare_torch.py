#!/usr/bin/env python3
"""Compiled code against the same network in PyTorch: loss, every gradient, a training curve.

Parameters are random and not symmetric, so that a transposed map or a wrong stream shows. The twin
computes in f64 and is taken for the truth. Without PyTorch (here, or in $HCC_TORCH_PYTHON)
everything is skipped.
"""

import math
import os
import random
import sys
import tempfile
from ctypes import c_double

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "reference"))
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy", "safetensors")

if not MISSING:
    import numpy as np
    import torch

    from hcref.gpt import GPT, GPTConfig
    from hcref.train import make_optimizer, rate

    torch.set_num_threads(1)

# Wide enough for products to go to BLAS: narrower ones are written out and compile slowly.
SMALL = {"d": 48, "heads": 2, "blocks": 2, "context": 16}
LARGER = {"d": 64, "heads": 4, "blocks": 2, "context": 16}
WIRINGS = [("residual", 4), ("postnorm", 4), *((w, n) for w in ("shc", "dhc", "frac", "mhc")
                                               for n in (1, 2, 4))]
FOUR = [wiring for wiring, n in WIRINGS if n == 4]
NARROW = {"d": 18, "heads": 2, "blocks": 2, "context": 16}
STEPS, WARMUP = 100, 10
VANISHING = {True: 1e-4, False: 2e-3}  # f64, f32


class Pair:
    """A compiled model and its twin; `wiring` has n streams, or n fractions."""

    def __init__(self, path, wiring, n, f64, sizes):
        word = f"frac(m={n})" if wiring == "frac" else wiring
        if not os.path.exists(path):
            build(path, f64=f64, wiring=word, n=n, **sizes)
        self.model = Model(path, samples=3, positions=sizes["context"])
        self.twin = GPT(GPTConfig(wiring=wiring, n=n, **sizes)).double()
        self.named = dict(self.twin.named_parameters())
        self.check_names(self.twin.state_dict())  # buffers too

    def check_names(self, wanted):
        """The twin's tensors by name against the compiled model's: names and shapes."""
        if sorted(wanted) != sorted(self.model.parameters):
            raise AssertionError(f"{sorted(wanted)}\n{sorted(self.model.parameters)}")
        for name, p in wanted.items():
            if list(p.shape) != self.model.parameters[name].dims:
                raise AssertionError(f"{name}: {list(p.shape)}")

    def close(self):
        self.model.close()

    def array(self, name, what="data"):
        """The compiled model's memory, in the parameter's shape."""
        p = self.model.parameters[name]
        return np.ctypeslib.as_array(getattr(p, what)).reshape(p.dims)

    @torch.no_grad() if not MISSING else lambda f: f
    def randomise(self):
        """Far from the initial values, of sizes at which every map matters."""
        draw = np.random.default_rng(7)
        self.model.init(1)  # buffers
        for name, p in self.named.items():
            own = name.split(".")[-1]
            if own in ("sa", "sb", "sg", "ap", "aq", "ar"):
                value = 0.2 + 0.1 * draw.standard_normal(p.shape)
            elif own in ("bp", "bq", "br"):
                value = draw.standard_normal(p.shape)
            elif own in ("Am", "Ar", "B", "Y", "A"):
                value = p.numpy() + 0.25 * draw.standard_normal(p.shape)
            else:
                value = 0.2 * draw.standard_normal(p.shape)
            self.array(name)[...] = value
        self.copy_to_twin()

    @torch.no_grad() if not MISSING else lambda f: f
    def copy_to_twin(self):
        for name, p in self.twin.state_dict().items():
            p.copy_(torch.from_numpy(self.array(name).astype(np.float64)))

    def set_batch(self, tokens):
        """Tokens [samples, positions + 1]; sizes follow."""
        samples, positions = tokens.shape[0], tokens.shape[1] - 1
        if (samples, positions) != (self.model.c_samples(self.model.context),
                                    self.model.c_positions(self.model.context)):
            self.model.resize(samples, positions)
        self.model.set_input("tokens", tokens[:, :-1].flatten().tolist())
        self.model.set_input("next", tokens[:, 1:].flatten().tolist())

    def errors(self, tokens):
        """Relative error of the loss; of each gradient by name; names of vanishing gradients.

        Some gradients vanish by construction, all that is left of them being the rounding of terms
        that cancel: the first site mixes equal streams by rows that sum to one, the norm removes a
        single stream's read weight but for its eps. Such a tensor, whose share of the whole
        gradient is below VANISHING (in f32 a few units of rounding), is judged against that share.
        """
        self.set_batch(tokens)
        found = self.model.forward()
        self.model.backward()
        self.twin.zero_grad()
        loss = self.twin.loss(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        wanted = {name: p.grad.numpy() for name, p in self.named.items()}
        smallest = VANISHING[self.model.real is c_double]
        floor = smallest * math.sqrt(sum(np.sum(g * g) for g in wanted.values()))
        gradients, vanishing = {}, []
        for name, g in wanted.items():
            size = np.linalg.norm(g)
            gap = np.linalg.norm(self.array(name, "gradient") - g)
            gradients[name] = float(gap / max(size, floor))
            if size < floor:
                vanishing.append(f"{name} {size / floor * smallest:.0e}")
        return abs(found - loss.item()) / abs(loss.item()), gradients, vanishing

    def agree(self, test, word, shapes, loss_limit, gradient_limit):
        """On a batch of each shape (samples, positions); prints what was measured."""
        draw = torch.Generator().manual_seed(3)
        for samples, positions in shapes:
            tokens = torch.randint(0, 256, (samples, positions + 1), generator=draw)
            loss, gradients, vanishing = self.errors(tokens)
            worst = max(gradients, key=gradients.get)
            print(f"{word} {'f64' if self.model.real is c_double else 'f32'} "
                  f"d={self.twin.config.d} {samples}x{positions}: loss {loss:.1e}, "
                  f"gradient {gradients[worst]:.1e} ({worst})"
                  f"{'; vanishing: ' if vanishing else ''}{', '.join(vanishing)}", flush=True)
            test.assertLessEqual(loss, loss_limit)
            bad = {k: f"{v:.1e}" for k, v in gradients.items() if not v <= gradient_limit}
            test.assertEqual(bad, {}, word)


@harness.unittest.skipIf(MISSING, MISSING)
class Compare(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.shared.cleanup)
        draw = random.Random(6)
        words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 7))) for _ in range(80)]
        text = " ".join(words[int(80 * draw.random() ** 3)] for _ in range(4000))
        cls.text = torch.tensor(list(text.encode()))

    def pair(self, wiring, n, f64, sizes):
        """A fresh pair; each library is built once."""
        name = f"{wiring}-{n}-{'f64' if f64 else 'f32'}-{sizes['d']}.so"
        pair = Pair(os.path.join(self.shared.name, name), wiring, n, f64, sizes)
        self.addCleanup(pair.close)
        return pair

    def compare(self, wiring, n, f64, sizes, loss_limit, gradient_limit):
        pair = self.pair(wiring, n, f64, sizes)
        pair.randomise()
        pair.agree(self, f"{wiring} n={n}", [(3, 16), (2, 11), (5, 16)], loss_limit,
                   gradient_limit)

    def test_f64(self):
        for wiring, n in harness.share(WIRINGS, 5):
            with self.subTest(wiring=wiring, n=n):
                self.compare(wiring, n, True, SMALL, 1e-10, 1e-10)

    def test_odd_extents(self):
        """Widths that are no multiple of a vector, three streams."""
        for wiring in harness.share(["residual", "dhc", "frac", "mhc"], 2, begin=1):
            with self.subTest(wiring=wiring):
                self.compare(wiring, 3, True, NARROW, 1e-10, 1e-10)

    def test_f32(self):
        for wiring in harness.share(FOUR, 2):
            with self.subTest(wiring=wiring, n=4):
                self.compare(wiring, 4, False, LARGER, 1e-5, 1e-4)

    def curve(self, wiring, f64, sizes, lr, limit):
        """The same weights, batches, optimiser, schedule and clipping."""
        pair = self.pair(wiring, 4, f64, sizes)
        model, twin = pair.model, pair.twin if f64 else pair.twin.float()
        for key, value in [("steps", STEPS), ("warmup", WARMUP), ("lr", lr)]:
            model.recipe(key, value)
        model.init(2)
        pair.copy_to_twin()
        nodecay = [p["name"] for p in model.manifest["params"] if not p["decay"]]
        self.assertEqual(sorted(nodecay), sorted(twin.decay_free()))
        optimizer = make_optimizer(twin, nodecay, lr, (0.9, 0.99), 0.1)
        draw = torch.Generator().manual_seed(4)
        losses, gaps, norm_gap = [], [], 0.0
        for step in range(STEPS):
            now = rate(step, STEPS, lr, WARMUP, 0.1)
            self.assertAlmostEqual(model.c_schedule_lr(model.context, step), now, delta=1e-9)
            starts = torch.randint(0, len(self.text) - 17, (12,), generator=draw)
            tokens = self.text[starts[:, None] + torch.arange(17)]
            pair.set_batch(tokens)
            losses.append(model.forward())
            model.backward()
            model.step()
            for group in optimizer.param_groups:
                group["lr"] = now
            loss = twin.loss(tokens[:, :-1], tokens[:, 1:])
            optimizer.zero_grad()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0).item()
            optimizer.step()
            gaps.append(abs(losses[-1] - loss.item()))
            norm_gap = max(norm_gap, abs(model.c_gradient_norm(model.context) / norm - 1))
        print(f"{wiring} {'f64' if f64 else 'f32'} lr {lr}: {STEPS} steps, loss {losses[0]:.3f} to "
              f"{losses[-1]:.3f}, largest difference {max(gaps):.1e}, of gradient norms "
              f"{norm_gap:.1e} relative", flush=True)
        self.assertLess(losses[-1], losses[0] - 1)
        self.assertLess(max(gaps), limit)
        self.assertLess(norm_gap, 1e-6 if f64 else 1e-2)

    def test_training_curves_f64(self):
        """At a rate so high that f32 drifts off: f64 is followed to its last digits."""
        for wiring in harness.share(FOUR, 3, begin=2):
            with self.subTest(wiring):
                self.curve(wiring, True, SMALL, 3e-3, 1e-8)

    def test_training_curves_f32(self):
        for wiring in harness.share(FOUR, 4, begin=1):
            with self.subTest(wiring):
                self.curve(wiring, False, LARGER, 1e-3, 2e-3)


if __name__ == "__main__":
    harness.main(__name__)
