#!/usr/bin/env python3
"""Logits of positions that are added to a text, against those of the whole text at once.

For every connection of the library, with attention and with a convolution over the past: the text
begins with some positions, goes on one by one, by many at once, and from an earlier position again.
In f64 and in f32, on one thread and on two. Needs the standard library of Python alone.
"""

import ctypes
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from every_connection import library, networks
from library import Model, View, build, harness

POSITIONS = 40  # more than two tiles
# first, count: within a tile and across tiles, back to the middle of one, and to the end
PARTS = [(0, 5), (5, 1), (6, 1), (7, 8), (15, 1), (16, 1), (17, 20), (37, 1), (30, 3), (33, 1), (34, 6)]
TOLERANCE = {True: 1e-11, False: 1e-4}

LOSS = """  target next[t] : token(%(v)d);
  param U[%(v)d, d] ~ normal(0.2);
  let logits[j < %(v)d] = sum[c] U[j,c] * h[c];
  loss cross_entropy(logits, next);
"""

TEXT = """use std;
model check {
  const d = %(d)d;
  positions t <= %(positions)d causal;
  input tokens[t] : token(61);
  param E[61, d] ~ normal(0.3);
  let x = embed(tokens, E) + position(t);
  let h = trunk(x) {
    s0 = residual : %(first)s;
    s1 = residual : %(second)s;
    s2 = residual : mlp(40);
  };
""" + LOSS + "}\n"


def text_of(vocabulary=61, **values):
    return TEXT % {"d": 40, "positions": POSITIONS, "first": "mlp(48)", "v": vocabulary,
                   "second": "attention(1, causal = true)", **values}


def cases():
    """A network with logits of each connection, with each kind of branch that looks back."""
    found = {}
    for network in networks():
        if network["branch"] in ("attention", "conv1d") and network["n"] in (0, 1, 4):
            found[network["name"].partition(", n =")[0]] = network  # with the most streams
    assert {network["connection"] for network in found.values()} == set(library())
    for network in found.values():
        text = network["text"].replace("t <= 6", f"t <= {POSITIONS}")
        assert text.count("  loss sum[c] up[c] * h[c];\n") == 1
        text = text.replace("  loss sum[c] up[c] * h[c];\n", LOSS % {"v": 33})
        yield network["name"], text.replace("  input up[t, d] : real;\n", "")


def texts():
    """A model of bytes of each connection, with attention."""
    for name, text in cases():
        if "attention" not in name:
            continue
        text = text.replace(f"t <= {POSITIONS}", "t <= 12").replace("token(33)", "token(256)")
        text = text.replace("[33, d]", "[256, d]").replace("j < 33", "j < 256")
        text = text.replace("  input a[t, d]  : real;\n",
                            "  input tokens[t] : token(256);\n  param T[256, d] ~ normal(1);\n"
                            "  let a = embed(tokens, T);\n")
        assert "let a = embed" in text and "U[256, d] ~ normal(0.2)" in text
        yield name, text + ("train check {\n  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0; }\n"
                            "  batch 1; steps 1; }\n")


class Extended(Model):
    def __init__(self, path, **options):
        super().__init__(path, samples=1, **options)
        self.init(3)
        self.training(False)
        number = random.Random(4)
        for k in self.manifest["inputs"]:
            if k["target"]:
                continue
            count = self.c_positions(self.context)
            for extent in k["dims"]:
                count *= extent
            self.set_input(k["name"], [number.randrange(k["limit"]) if k["limit"] else
                                       number.gauss(0, 1) for _ in range(count)])

    def whole(self, wanted):
        """The logits of some positions, by position."""
        self.forward()
        view = View()
        self.check(self.c_output(self.context, b"logits", ctypes.byref(view)))
        values, width = (self.real * view.count).from_address(view.data), view.dims[view.rank - 1]
        return {k: values[k * width:(k + 1) * width] for k in wanted}

    def extend(self, first, count):
        self.check(self.c_extend(self.context, first, count))
        view = View()
        self.check(self.c_extended_logits(self.context, ctypes.byref(view)))
        return list((self.real * view.count).from_address(view.data))


class Sampling(harness.TestCase):
    def compare(self, name, text, f64, parts=PARTS):
        number = len(os.listdir(self.folder))
        path = build(self.path(f"m{number}.so"), file=self.write(f"m{number}.hc", text), f64=f64)
        before = None
        for threads in (1, 2):
            with self.subTest(name, f64=f64, threads=threads), Extended(path, threads=threads) as model:
                self.assertIsNone(model.c_extend_refused(model.context))
                whole = model.whole({first + count - 1 for first, count in parts})
                found = []
                for first, count in parts:
                    found.append(model.extend(first, count))
                    for a, b in zip(found[-1], whole[first + count - 1], strict=True):
                        self.assertAlmostEqual(a, b, delta=TOLERANCE[f64] * max(1, abs(b)),
                                               msg=f"position {first + count - 1}")
                self.assertGreater(max(map(abs, found[0])), 0.01)
                self.assertTrue(before in (None, found), "threads change bits")
                before = found

    def test_connections(self):
        """One of them; HCC_TEST_EVERYTHING=1: all, in both types."""
        for f64 in harness.share([False, True], 2):
            for name, text in harness.share(list(cases()), 70, 20):
                self.compare(name, text, f64)

    def test_widths(self):
        """One of them; HCC_TEST_EVERYTHING=1: all. A head is as wide as the text's features."""
        for width in harness.share([31, 32, 33, 63, 64, 65, 128, 129, 257], 9, 2):
            self.compare(f"width {width}", text_of(d=width), False)

    def test_what_is_wide(self):
        """What is made a chunk of positions at a time, before what looks back and after it."""
        parts = [(0, 520), (520, 1), (521, 15), (500, 30), (530, 1)]
        for first, vocabulary in harness.share([("mlp(4500)", 4200), ("attention(2, causal = true)", 4200),
                                                ("mlp(4500)", 61)], 3):
            self.compare(f"{first}, {vocabulary}", text_of(vocabulary, first=first, d=8,
                                                                    positions=540), False, parts)

    def test_texts(self):
        """Sampled texts are those of which each token is computed from the whole window, which moves
        several times. With one connection; HCC_TEST_EVERYTHING=1: all."""
        data = self.write("text.txt", "a text of some words, and again a text. " * 40)
        for name, text in harness.share(list(texts()), 35, 25):
            file = self.write("text.hc", text)
            self.expect(harness.hcc("train", file, "--data", data, "--out", self.path("run"), "--force",
                                    "--precision", "f64", "--quiet", "--seed", "5"))
            words = ["sample", self.path("run"), "--length", "60", "--prompt", "a text"]
            whole = self.expect(harness.hcc(*words, "--recompute")).out
            for threads in ("1", "2"):
                with self.subTest(name, threads=threads):
                    result = self.expect(harness.hcc(*words, "--threads", threads))
                    self.assertEqual((result.out, result.err), (whole, ""))


if __name__ == "__main__":
    harness.load_sanitizer()
    harness.main(__name__)
