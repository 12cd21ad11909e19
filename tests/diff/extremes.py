#!/usr/bin/env python3
"""Extreme values: single precision gives what double precision gives, wherever that is finite.

Every connection of the library, and every function that maps numbers of any size, is compiled in f32
and f64 and given the same numbers: logits of 10 to 10,000, streams of 1e-15 to 1e15, an input of
zeros, streams that are equal. Values and gradients agree within 1e-3 of the largest of each tensor. A
gradient that is a difference of large terms, as all are in front of a norm, has fewer digits in single
precision: it agrees within 3e-7 of the network's largest, or within what f32 itself makes of the same
numbers when their last bits differ.

    python3 -B tests/diff/extremes.py --hcc build/hcc              a few of them
    python3 -B tests/diff/extremes.py --hcc build/hcc Table        all, with the table that is printed

And `Far`: where logits are 88 apart or all as large, so that their powers are beyond single precision or below it,
nothing is NaN or infinite in f32 that is a number of its range in f64.
"""

import concurrent.futures
import math
import os
import random
import re
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from every_connection import LIBRARY, STREAMS, library
from library import Model, build, harness

TOLERANCE, FLOOR, OF_ALL = 1e-3, 1e-30, 3e-4
NEIGHBOURS, ROUNDING = 6, 4
SAMPLES, POSITIONS, D = 2, 3, 12

NETWORK = """use std;

branch squash : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[k] W[c,k] * x[k]);
}
branch squash_of : x[d], z[e] -> y[d] {
  param W[d, d], V[d, e] ~ normal(0.3);
  let y[c] = tanh((sum[k] W[c,k] * x[k]) + (sum[k] V[c,k] * z[k]));
}

model extremes {
  const d = %(d)d, blocks = 1;
  positions t <= %(positions)d causal;
  input a[t, d] : real;
  input up[t, d] : real;
  param S[d] = 1;
  let x[c] = S[c] * a[c];
%(second)s  let h = trunk(x) {
    s0 = %(word)s : %(branch)s;
    s1 = %(word)s : %(branch)s;
  };
  probe h;
  loss sum[c] up[c] * h[c];
}
"""
SECOND = """  param V[4, d] ~ normal(0.3);
  let Z[i < 4, c] = V[i,c] * a[c];
"""

# The parameters that are logits or angles, by connection: what a bounded map is made of. What
# multiplies them is set to 0 while they are extreme: a logit of 10,000 holds three digits behind the
# point in single precision, and what else is added to it would be lost for that reason alone.
LOGITS = {
    "attnres": ["q"], "mhar": ["q"], "dar": ["q"], "gated_residual": ["b"], "gru_residual": ["b", "c"],
    "cmhc": ["bp", "bq", "br"], "go_mhc": ["bp", "bq", "br"], "harmonised": ["p", "q"], "highway": ["b"],
    "ihc": ["bp", "bq"],
    "jpmhc": ["bp", "bq"], "krom": ["bp", "bq", "br"], "laurel": ["w"], "mhc": ["bp", "bq", "br"],
    "mhc_deferred": ["bp", "bq", "br"], "mhc_lite": ["bp", "bq", "br"], "mhc_v2": ["Am", "Ar", "B"],
    "multi_gate": ["b"], "ohc": ["bp", "bq"], "oshc": ["bp", "bq", "br"], "spectral": ["bp", "bq", "br", "bu", "bv"], "tbp": ["bp", "bq", "br"], "xhc": ["bp", "bq", "br"],
}
SCALES = ["ap", "aq", "ar", "au", "av", "sp", "sr", "sb"]
# Options beside the default ones that have arithmetic of their own.
VARIANTS = {"mhc(v4)": ("mhc", "n = 4, v4 = true"), "mhc(iters = 100)": ("mhc", "n = 4, iters = 100"),
            "mhc(n = 8)": ("mhc", "n = 8"),
            "mhc_v2(log)": ("mhc_v2", "n = 4, constraint = sinkhorn_log"),
            "oshc(columns)": ("oshc", "n = 4, columns = true"),
            "postnorm(matrix)": ("postnorm", "matrix = true"),
            "residual(layernorm)": ("residual", "norm = layernorm"),
            "residual(l2norm)": ("residual", "norm = l2norm")}
# Weights that make logits without an offset beside them.
WEIGHTS = {"gated_streams": ["Wu", "Ww"], "multi_gate": ["w", "v"], "mhc_v2": ["Wm", "Wr", "Wb"]}
# And ends of streams that have logits.
ENDS = {"shc(head_streams)": ("shc", "n = 4, reduce = head_streams", ["b"]),
        "shc(pool_streams)": ("shc", "n = 4, reduce = pool_streams", ["W"]),
        "mhc_deferred(log)": ("mhc_deferred", "n = 4, map = sinkhorn_log", LOGITS["mhc_deferred"]),
        "mhc(log)": ("mhc", "n = 4, map = sinkhorn_log", LOGITS["mhc"]),
        "xhc(log)": ("xhc", "n = 4, active = 3, map = sinkhorn_log", LOGITS["xhc"])}
# No eps enters this length: at 0 three norms in a row have a derivative of 1e36 and more, which single
# precision does not hold.
BEYOND = {("residual(l2norm)", "zeros")}
SITUATIONS = ([("logits", s) for s in (10, 100, 1e3, 1e4)] + [("streams", s) for s in (1e-15, 1e-6, 1e6, 1e15)]
              + [("zeros", 0), ("equal", 1)])


def single(x):
    """The nearest number in single precision: both precisions get the same."""
    return struct.unpack("f", struct.pack("f", x))[0]


def networks(more=()):
    """Name: (connection, text of a network of two sites of it); with `more` variants as well."""
    found = {}
    for name, (words, second, widens, several) in library().items():
        options = STREAMS.get(name, lambda n: f"n = {n}")(4) if "n" in words or name in STREAMS else ""
        found[name] = name, options, second, widens, several
    for name, (of, options) in [*VARIANTS.items(), *more]:
        found[name] = (of, options, *found[of][2:])
    for name, (of, options, second, _, several) in found.items():
        words = [word for word in (["Z"] if second else []) + [options] if word]
        branch = "squash_of" if second else "squash"
        yield name, of, NETWORK % {
            "d": D, "positions": POSITIONS, "second": SECOND if second else "",
            "word": of + (f"({', '.join(words)})" if words else ""),
            "branch": f"{branch} & {branch}" if several else branch}


class Pair:
    """One text, compiled in both precisions; the same numbers go into both."""

    def __init__(self, folder, text, *how):
        file = os.path.join(folder, "extremes.hc")
        with open(file, "w", encoding="utf-8") as to:
            to.write(text)
        self.models = [Model(build(os.path.join(folder, f"f{bits}.so"), *how, file=file, f64=bits == 64),
                             SAMPLES, POSITIONS) for bits in (32, 64)]
        self.inputs = {}
        for model in self.models:
            model.init(1)

    def close(self):
        for model in self.models:
            model.close()

    def fill(self, values):
        for model in self.models:
            for name, parameter in model.parameters.items():
                parameter.data[:] = values[name]

    def set_input(self, name, values):
        self.inputs[name] = values
        for model in self.models:
            model.set_input(name, values)

    def results(self, model, output):
        model.forward_backward()
        return {"": model.output(output)[0],
                **{name: list(p.gradient) for name, p in model.parameters.items()}}

    def neighbours(self, output):
        """What f32 makes of numbers that differ in their last bits."""
        model, draw = self.models[0], random.Random(7)
        moved = lambda values: [x * (1 + draw.choice((-1, 0, 1)) * 2**-22) for x in values]
        for _ in range(NEIGHBOURS):
            kept = {name: list(p.data) for name, p in model.parameters.items()}
            for name, parameter in model.parameters.items():
                parameter.data[:] = moved(kept[name])
            for name, values in self.inputs.items():
                model.set_input(name, moved(values))
            yield self.results(model, output)
            for name, parameter in model.parameters.items():
                parameter.data[:] = kept[name]

    def gap(self, output):
        """The largest difference beyond rounding, as a share of its tensor's largest entry; None where
        f64 is not finite."""
        low, high = (self.results(model, output) for model in self.models)
        if not all(math.isfinite(x) for values in high.values() for x in values):
            return None, ""
        worst, around = (0.0, ""), None
        sizes = {name: max(map(abs, values), default=0) for name, values in high.items()}
        sharpest = max(size for name, size in sizes.items() if name)
        for name, values in high.items():
            size = max(sizes[name], FLOOR, OF_ALL * sharpest if name else 0)
            gap = max((abs(x - y) if math.isfinite(x) else math.inf
                       for x, y in zip(low[name], values)), default=0)
            if TOLERANCE * size < gap < math.inf:
                around = around or list(self.neighbours(output))
                spread = max(abs(x - y) for other in around for x, y in zip(other[name], low[name]))
                gap = max(gap - ROUNDING * spread, 0)
            worst = max(worst, (gap / size, name))
        return worst


def fill_network(pair, of, situation, size):
    """Parameters and inputs of one situation; the same in every run."""
    values = {}
    shape = {name: len(p.data) for name, p in pair.models[0].parameters.items()}
    extreme = LOGITS.get(of, []) if situation == "logits" else []
    for name, count in shape.items():
        draw, short = random.Random(name), name.rsplit(".", 1)[-1]
        initial = list(pair.models[0].parameters[name].data)
        if short in extreme and ".hc." in name:
            values[name] = [size / 8 * draw.randint(-8, 8) for _ in range(count)]
        elif extreme and short in SCALES and ".hc." in name:
            values[name] = [0.0] * count
        else:
            values[name] = [single(x + draw.gauss(0, 0.2)) for x in initial]
    pair.fill(values)
    draw = random.Random(f"{situation} {size}")
    scale = size if situation in ("streams", "zeros") else 1
    pair.set_input("a", [single(scale * draw.gauss(0, 1)) for _ in range(SAMPLES * POSITIONS * D)])
    pair.set_input("up", [single(draw.gauss(0, 1)) for _ in range(SAMPLES * POSITIONS * D)])


# --- functions ------------------------------------------------------------------------------------

FUNCTION = """use std;
model extremes {
  const n = %(n)d, m = %(m)d;
  positions t <= %(positions)d;
  input z[t, n, m] : real;
  input up[t, n, m] : real;
  param P[n, m] = 0;
  let L[i,j] = z[i,j] + P[i,j];
%(body)s
  probe M;
  loss sum[i,j] up[i,j] * M[i,j];
}
"""
EACH = "  let M[i,j] = {}[j];"
FUNCTIONS = {
    "softplus": (2, 8, "  let M[i,j] = softplus(L[i,j]);"),
    "silu": (2, 8, "  let M[i,j] = silu(L[i,j]);"),
    "gelu": (2, 8, "  let M[i,j] = gelu(L[i,j]);"),
    "sigmoid": (2, 8, "  let M[i,j] = sigmoid(L[i,j]);"),
    "tanh": (2, 8, "  let M[i,j] = tanh(L[i,j]);"),
    "softmax": (2, 8, "  let M[i,j] = softmax[j] L[i,j];"),
    "logsumexp": (2, 8, "  let M[i,j] = (logsumexp[k] L[i,k]) + 0 * L[i,j];"),
    "binary_cross_entropy": (2, 8, "  let M[i,j] = binary_cross_entropy(L[i,j], 0.25);"),
    "cross_entropy": (2, 8, "  let M[i,j] = cross_entropy(L[i], 3) + 0 * L[i,j];"),
    "rmsnorm": (2, 8, EACH.format("rmsnorm(L[i])")),
    "layernorm": (2, 8, EACH.format("layernorm(L[i])")),
    "l2norm": (2, 8, EACH.format("l2norm(L[i])")),
    "cayley": (4, 4, "  let A[i,j] = L[i,j] - L[j,i];\n  let M = cayley(A);"),
    "solve": (4, 4, "  let A[i,j] = L[i,j] + 100000 * identity[i,j];\n  let M = solve(A, L);"),
    "transport": (4, 4, "  let T = transport(L);\n  let M[i,j] = T[i + 1, j + 1] + 0 * L[i,j];"),
    "orthogonal_join": (2, 8, EACH.format("orthogonal_join(L[0], L[1])") [:-1] + " + 0 * L[i,j];"),
}
for _n in (2, 4, 8, 16):
    for _name, _iters in (("sinkhorn", 1), ("sinkhorn", 20), ("sinkhorn", 100),
                          ("sinkhorn_transposed", 20), ("sinkhorn_log", 20), ("sinkhorn_v4", 20)):
        if _n in (2, 4) or (_n, _iters) == (8, 20) or (_name == "sinkhorn" and _iters != 1):
            FUNCTIONS[f"{_name}({_n}, {_iters})"] = (_n, _n, f"  let M = {_name}(L, {_iters});")


def matrices(n, m, size):
    """Logits at each position: at random, in few steps, one destination that nobody likes, and the map
    whose scaling never ends (a full first line and column, nothing else)."""
    draw = random.Random(f"{n} {m} {size}")
    kinds = [lambda i, j: size / 8 * draw.randint(-8, 8), lambda i, j: single(size * draw.uniform(-1, 1)),
             lambda i, j: size * draw.choice((-1, 0, 1)), lambda i, j: -size * (i == 0),
             lambda i, j: -size * (i > 0 and j > 0), lambda i, j: -size * ((i + j) % n != 0)]
    return [kind(i, j) for kind in kinds for i in range(n) for j in range(m)]


def fill_function(pair, shape, size):
    n, m = shape
    pair.set_input("z", matrices(n, m, size))
    draw = random.Random(f"up {n} {m}")
    pair.set_input("up", [single(draw.gauss(0, 1)) for _ in range(SAMPLES * POSITIONS * n * m)])


# --- what is run ----------------------------------------------------------------------------------


def check_network(name, of, text, situations=SITUATIONS):
    """Situation: (gap, tensor) of one network."""
    with tempfile.TemporaryDirectory() as folder:
        pair, found = Pair(folder, text), {}
        for situation, size in situations:
            if situation == "logits" and of not in LOGITS or (name, situation) in BEYOND:
                continue
            fill_network(pair, of, situation, size)
            found[situation, size] = pair.gap("h")
        pair.close()
        return name, found


def check_function(name, sizes=(1e-15, 1, 10, 100, 1e3, 1e4)):
    n, m, body = FUNCTIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        pair, found = Pair(folder, FUNCTION % {"n": n, "m": m, "positions": POSITIONS, "body": body}), {}
        for size in sizes:
            if name == "transport" and size < 1:
                continue  # at a kink: which of two equal bounds holds is a matter of rounding
            fill_function(pair, (n, m), size)
            found["logits", size] = pair.gap("M")
        pair.close()
        return name, found


def text_of(found):
    gap, tensor = found
    return "f64 not finite" if gap is None else f"{gap:.0e}" + (f" {tensor}" if gap > TOLERANCE else "")


class Checked(harness.TestCase):
    def agrees(self, name, found):
        wrong = {f"{situation} {size:g}": text_of(gap) for (situation, size), gap in found.items()
                 if gap[0] is None or not gap[0] <= TOLERANCE}
        self.assertEqual({}, wrong, name)

    @unittest.skipUnless(harness.loads_libraries(), "this Python does not load sanitized libraries")
    def each(self, check, arguments):
        table = {}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, found in pool.map(lambda a: check(*a), arguments):
                table[name] = found
        for name, found in table.items():
            with self.subTest(name):
                self.agrees(name, found)
        return table


class Few(Checked):
    """What is tried every day."""

    def test_functions(self):
        self.each(check_function, [("sinkhorn(4, 100)",)])

    def test_connections(self):
        few = {"mhc"}
        self.each(check_network, [network for network in networks() if network[0] in few])


# What a logit is, by its place along the first axis (the destination, where it is a map's) and among all.
FAR = {"a destination below": lambda first, _: -88.0 * (first == 0), "all high": lambda *_: 88.0,
       "all low": lambda *_: -88.0, "high and low": lambda _, k: 88.0 * (-1) ** (k // 3)}
LARGEST = 1e38  # nearly that of single precision


def check_far(name, text, logits):
    """What is NaN or infinite in f32 alone, by situation."""
    wrong = {}
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(folder, text, *([] if harness.EVERYTHING else ["-O0"]))
        fill_network(pair, "", "streams", 1)
        values = {name: list(p.data) for name, p in pair.models[0].parameters.items()}
        reached = [key for key in values if ".hc." in key and key.rsplit(".", 1)[-1] in logits]
        for situation, logit in FAR.items():
            for key in reached:
                p = pair.models[0].parameters[key]
                each = len(p.data) // (p.dims[0] if p.dims else 1)
                values[key] = [logit(k // each, k) for k in range(len(p.data))]
            pair.fill(values)
            low, high = (pair.results(model, "h") for model in pair.models)
            lost = [key or "h" for key in high if any(abs(b) < LARGEST and not math.isfinite(a)
                                                      for a, b in zip(low[key], high[key]))]
            if lost or not reached:
                wrong[situation] = lost
        pair.close()
    return name, wrong


NAIVE = """
connection naive(n = 4) {
  state H[n, d];
  param br[n, n] = 0;
  begin H[i,c] = x[c];
  let e[k,j] = exp(br[k,j]), s[k] = sum[j] e[k,j];
  read x = H[0];
  write H[k,c] = (sum[j] e[k,j] * H[j,c]) / s[k] + y[c];
  end x = H[1];
}
"""


class Far(Checked):
    def test_it_can_fail(self):
        text = NETWORK % {"d": D, "positions": POSITIONS, "second": "", "word": "naive", "branch": "squash"} + NAIVE
        self.assertIn("all high", check_far("naive", text, ["br"])[1])

    def test_every_connection_with_logits_is_here(self):
        for name in os.listdir(LIBRARY):
            with open(os.path.join(LIBRARY, name), encoding="utf-8") as file:
                text = file.read()
            for own in re.finditer(r"(?ms)^connection (\w+).*?^}", text):
                if re.search(r"\b(sigmoid|softmax|sinkhorn\w*)\b", own[0]):
                    with self.subTest(own[1]):
                        self.assertIn(own[1], {**LOGITS, **WEIGHTS})

    def test_maps(self):
        of_ends = [(name, end[:2]) for name, end in ENDS.items()]
        cases = []
        for name, of, text in networks(of_ends):
            logits = ENDS[name][2] if name in ENDS else LOGITS.get(of, []) + WEIGHTS.get(of, [])
            if logits:
                cases.append((name, text, logits))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for name, wrong in pool.map(lambda case: check_far(*case), harness.share(cases, 9)):
                with self.subTest(name):
                    self.assertEqual(wrong, {})


class Table(Checked):
    """Everything; prints what it finds."""

    def test_functions(self):
        self.show(self.each(check_function, [(name,) for name in FUNCTIONS]))

    def test_connections(self):
        self.show(self.each(check_network, list(networks())))

    @staticmethod
    def show(table):
        columns = list(dict.fromkeys(key for found in table.values() for key in found))
        print("| |", " | ".join(f"{situation} {size:g}" for situation, size in columns), "|")
        print("|---" * (len(columns) + 1) + "|")
        for name, found in table.items():
            print(f"| {name} |", " | ".join(text_of(found[key]) if key in found else "–"
                                            for key in columns), "|")


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (Few, Far))


harness.main(__name__)
