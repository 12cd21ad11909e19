#!/usr/bin/env python3
"""Connections that see all earlier outputs: against PyTorch, against each other, against algebra.

Loss and every gradient as in compare_torch.py; identities between the definitions (E26 to E31, I15
of docs/tested.md) with compiled code alone.
"""

import math
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare_torch import MISSING, Pair
from library import Model, build, harness

if not MISSING:
    import numpy as np
    import torch

    from hcref.gpt import GPT, GPTConfig

SMALL = {"d": 48, "heads": 2, "blocks": 2, "context": 12}
DEEP = SMALL | {"blocks": 3}
LARGER = {"d": 64, "heads": 4, "blocks": 2, "context": 16}
NARROW = {"d": 54, "heads": 2, "blocks": 2, "context": 11}
WIRINGS = [  # word, options
    ("denseformer", {}),
    ("denseformer", {"dilation": 2}),
    ("denseformer", {"dilation": 3, "period": 2}),
    ("denseformer", {"block_sites": 1, "dilation": 2}),
    ("mudd", {}),
    ("mudd", {"round": 8}),
    ("mudd", {"prepost": True}),
    ("attnres", {}),
    ("attnres", {"block_sites": 2}),
    ("attnres", {"block_sites": 4}),
    ("mhar", {"depth_heads": 3}),
    ("mhar", {"depth_heads": 2, "block_sites": 2}),
    ("dar", {}),
    ("dar", {"depth_heads": 2, "block_sites": 2}),
    ("dar", {"gated": False, "block_sites": 2}),
    ("laurel", {"rank": 4}),
    ("laurel", {"rank": 5, "rw": False}),
    ("laurel", {"lr": False}),
    ("laurel_pa", {"rank": 4, "keep": 3}),
]


def sizes_for(options):
    """Two blocks, but where they do not reach round a period or fill a block of sites."""
    return DEEP if "period" in options or options.get("block_sites") == 4 else SMALL


def word(wiring, options):
    given = ", ".join(f"{k} = {str(v).lower()}" for k, v in options.items())
    return f"{wiring}({given})" if given else wiring


class DepthPair(Pair):
    """A compiled model and its twin; `options` are those of the connection on both sides."""

    def __init__(self, path, wiring, options, f64, sizes):
        if not os.path.exists(path):
            build(path, f64=f64, wiring=word(wiring, options), **sizes)
        self.model = Model(path, samples=3, positions=sizes["context"])
        self.twin = GPT(GPTConfig(wiring=wiring, connection=options, **sizes)).double()
        self.named = dict(self.twin.named_parameters())
        self.check_names(self.named)

    @torch.no_grad() if not MISSING else lambda f: f
    def randomise(self):
        """Weights of earlier outputs that differ, queries that choose, gains that are not one."""
        draw = np.random.default_rng(7)
        for name, p in self.named.items():
            noise = draw.standard_normal(p.shape)
            own = name.split(".")[-1]
            if ".hc." not in name:
                value = 0.2 * noise
            elif own in ("a", "g", "w"):
                value = p.numpy() + 0.25 * noise
            elif own == "q":
                value = 0.5 * noise
            else:
                value = p.numpy() + 0.15 * noise
            self.array(name)[...] = value
        self.copy_to_twin()


@harness.unittest.skipIf(MISSING, MISSING)
class AgainstTorch(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.shared.cleanup)

    def pair(self, wiring, options, f64, sizes):
        """A fresh pair; each library is built once."""
        name = f"{word(wiring, options)}-{'f64' if f64 else 'f32'}-{sizes['d']}"
        name = "".join(c if c.isalnum() else "-" for c in name) + ".so"
        pair = DepthPair(os.path.join(self.shared.name, name), wiring, options, f64, sizes)
        self.addCleanup(pair.close)
        return pair

    def compare(self, wiring, options, f64, sizes, loss_limit, gradient_limit):
        pair = self.pair(wiring, options, f64, sizes)
        pair.randomise()
        pair.agree(self, word(wiring, options), [(3, sizes["context"]), (2, 7)], loss_limit,
                   gradient_limit)

    def test_f64(self):
        for wiring, options in harness.share(WIRINGS, 5):
            with self.subTest(wiring=wiring, **options):
                self.compare(wiring, options, True, sizes_for(options), 1e-10, 1e-10)

    def test_odd_extents(self):
        for wiring, options in harness.share([("mudd", {}), ("attnres", {"block_sites": 3}),
                                              ("mhar", {"depth_heads": 9}), ("laurel", {"rank": 7})], 2):
            with self.subTest(wiring=wiring, **options):
                self.compare(wiring, options, True, NARROW, 1e-10, 1e-10)

    def test_f32(self):
        cases = [("denseformer", {}), ("mudd", {}), ("attnres", {}),
                 ("mhar", {"depth_heads": 4, "block_sites": 2}), ("dar", {}), ("laurel", {}), ("laurel_pa", {})]
        for wiring, options in harness.share(cases, 4, begin=1):
            with self.subTest(wiring=wiring, **options):
                self.compare(wiring, options, False, LARGER, 1e-5, 1e-4)

    def test_initial_values_and_decay(self):
        """What both sides begin with where it is not drawn, and what takes no decay."""
        for wiring, options in harness.share(WIRINGS, 6, begin=1):
            with self.subTest(wiring=wiring, **options):
                pair = self.pair(wiring, options, True, sizes_for(options))
                pair.model.init(1)
                nodecay = [p["name"] for p in pair.model.manifest["params"] if not p["decay"]]
                self.assertEqual(sorted(nodecay), sorted(pair.twin.decay_free()))
                for name, p in pair.named.items():
                    if ".hc." in name and not name.endswith(".W1"):
                        gap = np.abs(pair.array(name) - p.detach().numpy()).max()
                        self.assertLess(gap, 1e-7, name)  # the twin drew in single precision


SIZES = {"d": 48, "heads": 2, "blocks": 3, "context": 9}
SAMPLES, POSITIONS = 2, 9


class Identities(harness.TestCase):
    """Logits of one network under several wirings; what is not a connection's has equal values."""

    def logits(self, wiring, change=None):
        """`change(name, parameter)` may set a connection's parameter."""
        path = build(self.path(f"m{len(os.listdir(self.folder))}.so"), f64=True, wiring=wiring,
                     **SIZES)
        with Model(path, SAMPLES, POSITIONS) as model:
            model.init(5)
            for name, p in model.parameters.items():
                draw = random.Random(name)
                if ".hc." not in name:
                    p.data[:] = [draw.gauss(0, 0.3) for _ in p.data]
                elif change:
                    change(name, p, draw)
            draw = random.Random(1)
            for name in ("tokens", "next"):
                model.set_input(name, [draw.randrange(256) for _ in range(SAMPLES * POSITIONS)])
            model.forward()
            return model.output("logits")[0]

    def same(self, what, found, wanted, tolerance=1e-13):
        size = max(abs(x) for x in wanted)
        gap = max(abs(x - y) for x, y in zip(found, wanted)) / size
        print(f"{what}: {gap:.1e}", flush=True)
        self.assertLess(gap, tolerance, what)

    def apart(self, found, wanted):
        size = max(abs(x) for x in wanted)
        self.assertGreater(max(abs(x - y) for x, y in zip(found, wanted)) / size, 1e-3)

    def test_initial_values_are_the_residual(self):
        plain = self.logits("residual")
        for wiring in ("denseformer", "denseformer(dilation = 2)", "mudd", "mudd(round = 8)", "mudd(prepost = true)", "dar",
                       "dar(depth_heads = 3, block_sites = 2)", "laurel(rank = 4)",
                       "laurel_pa(rank = 4)"):
            with self.subTest(wiring):
                self.same(f"E26 {wiring}", self.logits(wiring), plain)
        # A mean of all outputs is their sum divided, and the norm undoes that, but for its eps.
        for wiring in ("attnres(block_sites = 2)", "dar(gated = false)"):
            with self.subTest(wiring):
                self.same(f"a mean read through a norm, {wiring}", self.logits(wiring), plain, 1e-4)
        self.apart(self.logits("attnres", self.queries), plain)  # the comparison can fail

    def test_no_averages(self):
        def weights(name, p, draw):
            p.data[:] = [draw.gauss(0, 1) for _ in p.data]

        found = self.logits("denseformer(period = 4)", weights)
        self.same("E27 denseformer, period beyond the depth", found, self.logits("residual"), 1e-14)
        self.apart(self.logits("denseformer(period = 3)", weights), self.logits("residual"))

    def test_static_mudd(self):
        """W2 = 0 and equal rows of `a`: the weights of a DenseFormer."""
        table = {n: [0.3 * math.sin(3 * n + j) + (j == n - 1) for j in range(n)]
                 for n in range(1, 9)}

        def weights(name, p, draw):
            if name.endswith(".a"):
                n = p.dims[-1]
                p.data[:] = table[n] * (len(p.data) // n)

        self.same("E28 mudd as denseformer", self.logits("mudd", weights),
                  self.logits("denseformer", weights), 1e-13)

    def test_zero_queries_are_means(self):
        """A definition of the test's own takes the mean of all outputs."""
        file = self.write("mean.hc", MEAN)
        path = build(self.path("mean.so"), file=file, f64=True, wiring="means")
        other = build(self.path("attnres.so"), file=file, f64=True, wiring="attnres")
        outputs = []
        for library in (path, other):
            with Model(library, SAMPLES, POSITIONS) as model:
                draw = random.Random(4)
                for name, p in sorted(model.parameters.items()):
                    if not name.endswith((".q", ".g")):
                        p.data[:] = [draw.gauss(0, 0.3) for _ in p.data]
                    else:
                        p.data[:] = [float(name.endswith(".g"))] * len(p.data)
                draw = random.Random(2)
                model.set_input("x", [draw.gauss(0, 1) for _ in range(SAMPLES * POSITIONS * 8)])
                model.forward()
                outputs.append(model.output("h")[0])
        self.same("E29 attnres of zero queries", outputs[1], outputs[0])

    def queries(self, name, p, draw):
        if name.endswith(".q"):
            p.data[:] = [draw.gauss(0, 0.5) for _ in p.data]
        elif name.endswith(".g"):
            p.data[:] = [draw.gauss(1, 0.3) for _ in p.data]

    def test_blocks_of_one_and_one_head(self):
        full = self.logits("attnres", self.queries)
        self.same("E30 blocks of one site", self.logits("attnres(block_sites = 1)", self.queries),
                  full, 1e-15)
        self.apart(self.logits("attnres(block_sites = 2)", self.queries), full)
        self.same("E31 one head", self.logits("mhar(depth_heads = 1)", self.queries), full)
        self.apart(self.logits("mhar(depth_heads = 2)", self.queries), full)

    def test_scaled_sources(self):
        """I15: attention's weights do not change when a source is multiplied (but for eps)."""
        file = self.write("weights.hc", WEIGHTS)
        with Model(build(self.path("w.so"), file=file, f64=True), 2) as model:
            draw = random.Random(3)
            for p in model.parameters.values():
                p.data[:] = [draw.gauss(0, 1) for _ in p.data]
            plain = [draw.gauss(0, 1) for _ in range(2 * 4 * 12)]
            factors = [1e3, 5e4, 1e2, 7e3]
            scaled = [x * factors[k // 12 % 4] for k, x in enumerate(plain)]
            found = []
            for values in ([1e3 * x for x in plain], scaled):
                model.set_input("v", values)
                model.forward()
                found.append(model.output("p")[0])
        self.same("I15 weights of scaled sources", found[1], found[0], 1e-8)
        self.assertGreater(max(abs(a - b) for a, b in zip(found[0], found[0][4:])), 1e-3)


MEAN = """use std;

connection means(norm = rmsnorm) {
  state V[depth, d];
  begin V[0,c] = x[c];
  let u[c] = mean[j] V[j,c];
  read x = norm(u);
  append V[c] = y[c];
  let s[c] = mean[j] V[j,c];
  end x = norm(s);
}

model m {
  const d = 8, wiring = means;
  positions t <= 9;
  input x[t, d] : real;
  let h = trunk(x) { repeat 5 { a = wiring : mlp(12); } };
  probe h;
  loss sum[c] h[c]^2;
}
"""

WEIGHTS = """use std;

model m {
  const d = 12;
  input v[4, d] : real;
  param q[d] = 0;
  let N[j,c] = rmsnorm(v[j])[c];
  let p[j] = softmax[j] sum[c] q[c] * N[j,c];
  probe p;
  loss sum[j] j * p[j];
}
"""


if __name__ == "__main__":
    harness.main(__name__)
