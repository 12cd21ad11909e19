#!/usr/bin/env python3
"""The constrained family against its transcription in PyTorch: loss and every gradient.

As compare_torch.py does it, and with its limits. At the first site all streams are equal and at the
last their sum is taken, which hides a map whose sums are one: there are four sites.
"""

import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare_torch import LARGER, MISSING, Pair, build, harness

if not MISSING:
    import numpy as np

    from hcref.gpt import GPT, GPTConfig
    from library import Model

EVERY = (1, 2, 3, 4, 8) if harness.EVERYTHING else (1, 3, 4)  # eight take long to compile

# Wide enough for products to go to BLAS: narrower ones are written out and compile slowly.
SMALL = {"d": 48, "heads": 2, "blocks": 1, "context": 16}
NARROW = {"d": 34, "heads": 2, "blocks": 1, "context": 16}

# Gram-Schmidt takes the difference of convolutions that are nearly parallel: in f32 both sides lose
# digits there that f64 shows to be right.
LOSES_DIGITS = {"xhc": 2e-3}

# connection, options, numbers of streams; the first of each also in f32
CASES = [
    ("ihc", {}, EVERY),
    ("ihc", {"reduce": "sum_streams"}, (4,)),
    ("mhc_lite", {}, (1, 2, 3, 4)),
    ("krom", {}, (2, 4, 8)),
    ("go_mhc", {}, EVERY),
    ("go_mhc", {"s": 1}, (2, 4)),
    ("go_mhc", {"s": 3}, (2,)),
    ("tbp", {}, EVERY[1:]),
    ("spectral", {}, EVERY[1:]),
    ("jpmhc", {}, EVERY),
    ("jpmhc", {"alpha": 0.3, "iters": 5}, (4,)),
    ("mhc_deferred", {}, EVERY),
    ("mhc_deferred", {"iters": 3}, (4,)),
    ("xhc", {}, (16,)),
    ("xhc", {"active": 2, "fixed": 1}, (3, 4)),
    ("xhc", {"active": 4, "fixed": 4}, (4,)),
    ("xhc", {"active": 2, "fixed": 2}, (4,)),
]
ONLY = os.environ.get("HCC_ONLY", "").split()  # some connections alone: quicker while one changes


def word(wiring, n, options):
    return f"{wiring}({', '.join(f'{k}={v}' for k, v in {'n': n, **options}.items())})"


class ConstrainedPair(Pair):
    def __init__(self, path, wiring, n, f64, sizes, options):
        build(path, f64=f64, wiring=word(wiring, n, options), **sizes)
        self.model = Model(path, samples=3, positions=sizes["context"])
        self.twin = GPT(GPTConfig(wiring=wiring, n=n, connection=options, **sizes))
        self.twin.double()
        self.named = dict(self.twin.named_parameters())
        self.check_names(self.named)
        nodecay = [p["name"] for p in self.model.manifest["params"] if not p["decay"]]
        if sorted(nodecay) != sorted(self.twin.decay_free()):
            raise AssertionError(f"without decay: {nodecay}\n{self.twin.decay_free()}")

    def randomise(self):
        draw = np.random.default_rng(7)
        for name, p in self.named.items():
            own = name.split(".")[-1]
            value = draw.standard_normal(list(p.shape))
            if own[0] == "a":  # scales
                value = 0.2 + 0.1 * value
            elif own[0] != "b":
                value = 0.2 * value
            self.array(name)[...] = value
        self.copy_to_twin()


@harness.unittest.skipIf(MISSING, MISSING)
class Compare(harness.TestCase):
    def compare(self, wiring, n, options, f64, sizes, loss_limit, gradient_limit):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pair.so")
            pair = ConstrainedPair(path, wiring, n, f64, sizes, options)
            pair.randomise()
            pair.agree(self, word(wiring, n, options), [(3, 16), (2, 11)], loss_limit,
                       gradient_limit)
            pair.close()

    def test_f64(self):
        cases = [(wiring, options, n) for wiring, options, counts in CASES for n in counts
                 if not ONLY or wiring in ONLY]
        for wiring, options, n in harness.share(cases, 1 if ONLY else 5):
            with self.subTest(word(wiring, n, options)):
                sizes = NARROW if n == 3 else SMALL
                self.compare(wiring, n, options, True, sizes, 1e-10, 1e-10)

    def test_f32(self):
        cases = [(wiring, counts) for wiring, options, counts in CASES
                 if not options and (not ONLY or wiring in ONLY)]
        for wiring, counts in harness.share(cases, 1 if ONLY else 4, begin=not ONLY):
            with self.subTest(wiring):
                n = 4 if 4 in counts else counts[0]
                self.compare(wiring, n, {}, False, LARGER, 1e-5, LOSES_DIGITS.get(wiring, 1e-4))


if __name__ == "__main__":
    harness.main(__name__)
