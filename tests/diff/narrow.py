#!/usr/bin/env python3
"""What is stored as bf16 for products that round it anyway: nobody can tell but by memory.

Against PyTorch, whose products take factors that are rounded to bf16 and sum them in f64; for every
number of threads, within a bound on memory, and where a text goes on. Widths are even and odd (rows of
pairs, and none), with and without chunks of a large vocabulary.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import SHAKESPEARE, Model, build, harness
from memory import SIZES
from sampling import POSITIONS, Extended, text_of

MISSING = harness.lacking("torch", "numpy")

if not MISSING:
    import numpy as np
    import torch
    import torch.nn.functional as F

BF16 = ["--precision", "bf16"]
SAMPLES, CONTEXT = 5, 150
MODEL = """
use std;
model wide {
  const vocab = %d, d = %d, wide = 2 * d;
  positions t <= %d causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.3);
  param U[wide, d] ~ normal(0.1);
  param D[d, wide] ~ normal(0.1);
  let x = embed(tokens, E);
  let n[c] = tanh(x[c]);
  let u[w] = sum[c] U[w,c] * n[c];
  let g[w] = tanh(u[w]);
  let h[c] = x[c] + (sum[w] D[c,w] * g[w]);
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
train wide { optimizer adamw(lr = 1e-3); batch %d; steps 3; seed 1; }
"""


def stored(model):
    """The elements that buffers of a model's calls have."""
    found = set()

    def visit(value):
        if isinstance(value, list) and len(value) >= 3 and value[1] in ("f32", "f64", "i32", "bf16"):
            found.add(value[1])
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            visit(item)
    visit(model.manifest["plan"])
    return found


def rounded_product():
    class Product(torch.autograd.Function):
        """a of [N, K] times the transposed b of [M, K], factors rounded to bf16 in both directions, and
        so are results of even width, but those that a loss is made of and gradients of weights."""

        @staticmethod
        def near(x):
            return x.float().bfloat16().double()

        @staticmethod
        def stored(y):
            return y if y.shape[1] % 2 else Product.near(y)

        @staticmethod
        def forward(c, a, b, last=False):
            c.save_for_backward(a, b)
            y = Product.near(a) @ Product.near(b).T
            return y if last else Product.stored(y)

        @staticmethod
        def backward(c, g):
            a, b = map(Product.near, c.saved_tensors)
            g = Product.near(g)
            return Product.stored(g @ b), g.T @ a, None

    return Product.apply


@harness.unittest.skipIf(MISSING, MISSING)
class AgainstPyTorch(harness.TestCase):
    def twin(self, model, tokens, following):
        p = {name: torch.tensor(np.array(x.data), dtype=torch.float64).reshape(x.dims).requires_grad_()
             for name, x in model.parameters.items()}
        product = rounded_product()
        x = p["E"][torch.tensor(tokens).ravel()]
        n = torch.tanh(x)
        h = x + product(torch.tanh(product(n, p["U"])), p["D"])
        loss = F.cross_entropy(product(h, p["E"], True), torch.tensor(following).ravel())
        loss.backward()
        return loss.item(), {name: x.grad.numpy().ravel() for name, x in p.items()}

    def gradients(self, model, vocab):
        numbers = np.random.default_rng(0)
        tokens, following = (numbers.integers(0, vocab, (SAMPLES, CONTEXT)) for _ in range(2))
        model.init(1)
        model.set_input("tokens", tokens.ravel().tolist())
        model.set_input("next", following.ravel().tolist())
        model.forward_backward()
        return tokens, following, model.loss(), {k: np.array(p.gradient) for k, p in model.parameters.items()}

    def compare(self, vocab, d):
        text = MODEL % (vocab, d, CONTEXT, SAMPLES)
        path = build(self.path(f"m{vocab}-{d}.so"), *BF16, file=self.write("m.hc", text))
        before = None
        for threads in (1, 3):
            with Model(path, threads=threads) as model:
                tokens, following, loss, found = self.gradients(model, vocab)
                bits = (loss, [found[name].tobytes() for name in sorted(found)])
                self.assertIn(before, (None, bits), "threads change bits")
                before = bits
                # `wide` is even whatever d is; elsewhere products are OpenBLAS's
                self.assertIn("bf16", stored(model))
                self.assertEqual("chunks" in model.manifest["plan"], vocab > 1000)
                wanted, gradients = self.twin(model, tokens, following)
        self.assertLess(abs(loss - wanted), 3e-4)  # sums of f32 and f64 do not round to the same bf16 always
        for name, gradient in gradients.items():
            gap = np.abs(found[name] - gradient).max() / np.abs(gradient).max()
            self.assertLess(gap, 2e-3, f"{name} of {vocab}, {d}")

    def test_widths(self):
        for vocab, d in ((300, 65), (300, 66), (300, 257), (5000, 64)):
            with self.subTest(vocab=vocab, d=d):
                self.compare(vocab, d)


class AgainstItself(harness.TestCase):
    def test_within_a_bound_on_memory(self):
        """What is made again is rounded again."""
        seen = []
        for bound in ([], ["--memory", "9500K"]):
            path = build(self.path(f"m{len(bound)}.so"), *BF16, *bound, file=SHAKESPEARE, wiring="mhc", **SIZES)
            with Model(path, threads=2) as model:
                self.assertIn("bf16", stored(model))
                model.init(3)
                count = SIZES["train__batch"] * SIZES["context"]
                model.set_input("tokens", [(k * k + 7 * k) % 251 for k in range(count)])
                model.set_input("next", [(3 * k * k + k) % 241 for k in range(count)])
                loss = model.forward()
                model.backward()
                seen.append((loss, [bytes(p.gradient) for p in model.parameters.values()],
                             model.manifest["plan"]["regions"]["position"]))
        self.assertEqual(seen[0][:2], seen[1][:2])
        self.assertLess(seen[1][2], seen[0][2])

    def test_parameters_that_stay(self):
        """What is packed of weights outlives no write to them, whoever writes."""
        path = build(self.path("m.so"), *BF16, file=self.write("m.hc", MODEL % (300, 64, CONTEXT, SAMPLES)))
        count = SAMPLES * CONTEXT

        def fresh(seed=1, **options):
            model = Model(path, **options)
            model.init(seed)
            model.set_input("tokens", [(k * k + 7 * k) % 251 for k in range(count)])
            model.set_input("next", [(3 * k * k + k) % 241 for k in range(count)])
            return model

        def unchanged(model):
            model.c_parameters_unchanged(model.context)

        def shift(model, by):
            weights = model.parameters["U"].data
            for k in range(0, len(weights), 7):
                weights[k] += by

        def loss_of(model):
            other = fresh(9)  # never told anything
            for name, parameter in other.parameters.items():
                parameter.data[:] = model.parameters[name].data[:]
            loss = other.forward()
            other.close()
            return loss

        with fresh(threads=2) as model:
            first = model.forward()
            for _ in range(3):
                unchanged(model)
                self.assertEqual(model.forward(), first)
            shift(model, 0.25)
            unchanged(model)  # is not true, and so shows that it is believed
            self.assertEqual(model.forward(), first)
            second = model.forward()
            self.assertNotEqual(second, first)
            self.assertEqual(second, loss_of(model))
            for _ in range(3):  # an optimiser of somebody else's, with backward passes by themselves
                model.backward()
                for parameter in model.parameters.values():
                    for k, g in enumerate(parameter.gradient):
                        parameter.data[k] -= 0.5 * g
                self.assertEqual(model.forward(), loss_of(model))
            unchanged(model)
            model.forward_backward()
            self.assertEqual(model.loss(), loss_of(model))
            saved = self.path("m.safetensors")
            model.save(saved)
            writers = [lambda: model.step(0.1), lambda: model.init(5), lambda: model.load(saved),
                       lambda: (model.step(0.1), model.load(saved)), lambda: (model.step(0.1), model.init(7))]
            for write in writers:
                unchanged(model)
                model.forward_backward()
                write()
                unchanged(model)  # of what the runtime writes it knows itself
                self.assertEqual(model.forward(), loss_of(model))
            self.assertEqual(model.forward(), loss_of(model))
            unchanged(model)
            model.forward_backward()
            model.step(0.1)
            shift(model, 0.25)  # behind a step that packed
            self.assertEqual(model.forward(), loss_of(model))

    def test_steps_pack(self):
        """A step packs weights right behind their update, where the last pass was told that they stay:
        training goes as without that, to the bit, and what others write is seen."""
        recipes = {"adamw(lr = 1e-2)": "batch 4 in 2", "lion(lr = 1e-3)": "ema 0.9; batch 4",
                   "muon(lr = 1e-2, adamw_lr = 1e-3)": "batch 4"}
        for k, (optimizer, batch) in enumerate(recipes.items()):
            vocab, d = ((5000, 64), (301, 65), (300, 64))[k]
            text = MODEL % (vocab, d, CONTEXT, SAMPLES)
            text = text.replace("adamw(lr = 1e-3); batch 5", f"{optimizer}; {batch}")
            path = build(self.path(f"m{k}.so"), *BF16, file=self.write(f"m{k}.hc", text))

            def trained(threads, promises):
                with Model(path, threads=threads) as model:
                    model.init(1)
                    count, seen = 4 * CONTEXT, []
                    model.set_input("tokens", [(k * k + 7 * k) % 251 for k in range(count)])
                    model.set_input("next", [(3 * k * k + k) % 241 for k in range(count)])
                    for step in range(4):
                        if promises:
                            model.c_parameters_unchanged(model.context)
                        model.forward_backward()
                        model.step()
                        seen.append(model.loss())
                    if promises:  # is not true, and so shows that steps have packed what the pass takes
                        weights = model.parameters["U"].data
                        weights[5], before = weights[5] + 8, weights[5]
                        model.c_parameters_unchanged(model.context)
                        told = model.forward()
                        weights[5] = before
                        self.assertEqual(told == model.forward(), not optimizer.startswith("muon"))
                    else:
                        model.forward()
                    return seen, model.loss(), [bytes(p.data) for p in model.parameters.values()]

            with self.subTest(optimizer=optimizer):
                wanted = trained(2, False)
                for threads in (1, 3):
                    self.assertEqual(trained(threads, True), wanted)

    def test_a_text_goes_on(self):
        path = build(self.path("m.so"), *BF16, file=self.write("m.hc", text_of(
            300, d=64, first="mlp(128)", positions=POSITIONS)))
        with Extended(path, threads=2) as model:
            self.assertIn("bf16", stored(model))
            parts = [(0, 5), (5, 1), (6, 8), (14, 26)]
            whole = model.whole({first + count - 1 for first, count in parts})
            for first, count in parts:
                for a, b in zip(model.extend(first, count), whole[first + count - 1], strict=True):
                    self.assertAlmostEqual(a, b, delta=2e-2 * max(1, abs(b)))
                model.c_parameters_unchanged(model.context)

    def test_streams(self):
        """Handed on as bf16 where it is asked for: near what they are in f32."""
        count = SIZES["train__batch"] * SIZES["context"]
        for wiring in ("mhc", "denseformer"):
            seen, bytes_of = {}, {}
            for precision in ("f32", "bf16", "bf16_streams"):
                path = build(self.path(f"{wiring}-{precision}.so"), "--precision", precision, file=SHAKESPEARE,
                             wiring=wiring, **SIZES)
                for threads in (1, 3):
                    with Model(path, threads=threads) as model:
                        bytes_of[precision] = model.manifest["plan"]["regions"]["position"]
                        model.init(3)
                        model.set_input("tokens", [(k * k + 7 * k) % 251 for k in range(count)])
                        model.set_input("next", [(3 * k * k + k) % 241 for k in range(count)])
                        loss = model.forward()
                        model.backward()
                        found = loss, {name: list(p.gradient) for name, p in model.parameters.items()}
                    self.assertEqual(found, seen.setdefault(precision, found), "threads change bits")
            self.assertLess(bytes_of["bf16_streams"], bytes_of["bf16"])
            self.assertLess(bytes_of["bf16"], bytes_of["f32"])
            exact, gradients = seen["f32"]
            for precision in ("bf16", "bf16_streams"):
                self.assertLess(abs(seen[precision][0] - exact), 5e-3)
                gap = norm = 0.0
                for name, wanted in gradients.items():
                    gap += sum((a - b) ** 2 for a, b in zip(seen[precision][1][name], wanted, strict=True))
                    norm += sum(b * b for b in wanted)
                print(f"{wiring} in {precision}: gradients {100 * (gap / norm) ** 0.5:.2f} % from those in f32")
                self.assertLess(gap, 0.03 ** 2 * norm)


if __name__ == "__main__":
    harness.main(__name__)
