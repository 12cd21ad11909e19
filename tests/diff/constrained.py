#!/usr/bin/env python3
"""The constrained family on one site: known numbers, invariants of the maps, equal connections.

A network of one site whose streams are given (`embed_streams` adds a parameter to the input, which
differs from position to position), whose norm is none and whose branch is tanh: every value between
is a probe. Needs the standard library alone.
"""

import math
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
from library import Model, build, harness
from oracles import FAMILIES, SINKHORN, V4_SITE

SITE = """use std;

/// What the branch is given can be looked at.
branch squash : x[d] -> y[d] {
  probe x;
  let y[c] = tanh(x[c]);
}

/// So can the streams at the end. Each counts differently: nothing is seen of a map in their sum.
module shown : H[n, d] -> x[d] {
  probe H;
  let x[c] = sum[i] (i + 1) * H[i,c];
}

model site {
  const d = 3, wiring = residual;
  positions t <= 8;
  input a[t, d] : real;
  input up[t, d] : real;
  let h = trunk(a) { one = wiring : squash; };
  loss sum[c] up[c] * h[c];
}
"""
SAMPLES, POSITIONS = 2, 8


def flat(x):
    return [v for row in x for v in flat(row)] if isinstance(x, list) else [x]


def product(A, B):
    return [[sum(a * b for a, b in zip(row, column)) for column in zip(*B)] for row in A]


def transpose(A):
    return [list(column) for column in zip(*A)]


def identity(n):
    return [[float(i == j) for j in range(n)] for i in range(n)]


def gap(A, B):
    assert len(flat(A)) == len(flat(B))
    return max(abs(a - b) for a, b in zip(flat(A), flat(B)))


def norm2(A):
    """The largest singular value, by squaring A^T A again and again."""
    S, log = product(transpose(A), A), 0.0
    for k in range(40):
        size = max(abs(x) for x in flat(S))
        S, log = [[x / size for x in row] for row in S], log + math.log(size) / 2**k
        S = product(S, S)
    return math.exp(log / 2)


BUILT = tempfile.TemporaryDirectory()  # each site is compiled once


class Site:
    """One site around the branch tanh, compiled; parameters are those of its connection."""

    built = {}

    def __init__(self, test, wiring, n, d=3, f64=True, **options):
        given = {"n": n, "norm": "none", "expand": "embed_streams", "reduce": "shown", **options}
        word = f"{wiring}({', '.join(f'{k}={v}' for k, v in given.items() if v is not None)})"
        path = self.built.get((word, d, f64))
        if not path:
            path = os.path.join(BUILT.name, f"site{len(self.built)}.so")
            build(path, file=test.write("site.hc", SITE), f64=f64, wiring=word, d=d)
            self.built[word, d, f64] = path
        self.n, self.d = n, d
        self.model = Model(path, SAMPLES, POSITIONS)
        test.addCleanup(self.model.close)
        self.model.init(1)
        self.own = {name.removeprefix("trunk.one.hc."): p
                    for name, p in self.model.parameters.items()}
        draw = random.Random(2)
        self.inputs = [draw.gauss(0, 1) for _ in range(SAMPLES * POSITIONS * d)]
        self.model.set_input("up", [draw.gauss(0, 1) for _ in self.inputs])

    def set(self, **values):
        """A parameter from a flat or nested list, or every entry from one number."""
        for name, value in values.items():
            data = self.own[name].data
            data[:] = [value] * len(data) if isinstance(value, (int, float)) else flat(value)

    def randomise(self, size=1.0, seed=3):
        for name, p in self.own.items():
            draw = random.Random(f"{seed} {name}")
            scale = 0.5 if name[0] == "a" else size
            p.data[:] = [draw.gauss(0, scale) for _ in p.data]

    def stream_parameter(self):
        return next(name for name in self.own if name.endswith("E"))

    def run(self, streams=None):
        """Streams: those of every position, the input being zero; else input and parameter."""
        if streams is not None:
            self.set(**{self.stream_parameter(): streams})
        self.model.set_input("a", [0.0] * len(self.inputs) if streams else self.inputs)
        return self.model.forward()  # probes hold until the next pass

    def probe(self, name):
        """One nested list a position, over all samples."""
        found = next(item["name"] for item in self.model.manifest["plan"]["outputs"]["probes"]
                     if item["name"].split(".")[-1] == name)
        values, dims = self.model.output(found)
        for size in reversed(dims[2:]):
            values = [values[k : k + size] for k in range(0, len(values), size)]
        return values

    def maps(self):
        self.run()
        return self.probe("M")


class Oracles(harness.TestCase):
    """Numbers known in advance (tests/reference/oracles.py), six digits of them."""

    def close(self, what, found, wanted, tolerance=6e-7):
        error = gap(found, wanted)
        print(f"{what}: {error:.1e}")
        self.assertLess(error, tolerance, what)

    def map_of(self, wiring, n, logits, **options):
        site = Site(self, wiring, n, **options)
        site.set(**{name: 0 for name in site.own if name in ("R", "U", "V")})
        site.set(br=logits)
        return site.maps()

    def test_maps(self):
        for key, wiring, n, options in [("mhc_lite_n4", "mhc_lite", 4, {}),
                                        ("mhc_lite_n3", "mhc_lite", 3, {}),
                                        ("kromhc_n4", "krom", 4, {}), ("tbp_n4", "tbp", 4, {}),
                                        ("tbp_n4_zero", "tbp", 4, {})]:
            with self.subTest(key):
                for M in self.map_of(wiring, n, FAMILIES[key]["logits"], **options):
                    self.close(key, M, FAMILIES[key]["value"])

    def test_orthostochastic(self):
        """The logits are the entries of theta - theta^T above the diagonal."""
        for key, s in [("gomhc_s2_n4", 2), ("gomhc_s1_n4", 1)]:
            with self.subTest(key):
                theta = FAMILIES[key]["theta"]
                m = len(theta)
                t = [theta[a][b] - theta[b][a] for a in range(m) for b in range(a + 1, m)]
                M = self.map_of("go_mhc", 4, t, s=s)[0]
                self.close(key, M, FAMILIES[key]["value"])
                self.close(f"E22 {key}, -theta", self.map_of("go_mhc", 4, [-x for x in t], s=s)[0],
                           transpose(M), 1e-15)

    def test_sinkhorn(self):
        for v4, tolerance in [("false", 6e-7), ("true", 5e-6)]:
            M = self.map_of("mhc", 4, SINKHORN["logits"], v4=v4)[0]
            self.close(f"mhc v4={v4}", M, SINKHORN["value"][20], tolerance)

    def test_v4_site(self):
        o = V4_SITE
        fn = [[row[:3], row[3:]] for row in o["fn"]]
        turned = [0, 2, 1, 3]  # its mixing map has the source first
        for wiring in ("mhc", "mhc_deferred"):
            with self.subTest(wiring):
                options = {"v4": "true"} if wiring == "mhc" else {"reduce": None}
                site = Site(self, wiring, 2, **options)
                site.set(P=fn[:2], Q=fn[2:4], R=[fn[4 + k] for k in turned], bp=o["base"][:2],
                         bq=o["base"][2:4], br=[o["base"][4 + k] for k in turned],
                         ap=o["scale"][0], aq=o["scale"][1], ar=o["scale"][2])
                loss = site.run(streams=o["H"])
                M = site.probe("M")[0]
                self.close(f"{wiring}: mixing map", transpose(M), o["C_source_first"], 1e-6)
                if wiring == "mhc":
                    self.close("branch input", site.probe("x")[0], o["x"], 6e-11)
                    self.close("next state", site.probe("H")[0], o["H_next"], 1e-6)
                    continue
                # Deferred: stream 0 is read now, the weights computed here are read at the end.
                self.close("deferred branch input", site.probe("x")[0], o["H"][0], 1e-15)
                y = [math.tanh(x) for x in o["H"][0]]
                H = [[sum(M[k][j] * o["H"][j][c] for j in range(2)) + o["post"][k] * y[c]
                      for c in range(3)] for k in range(2)]
                end = [sum(o["pre"][k] * H[k][c] for k in range(2)) for c in range(3)]
                site.model.set_input("up", [1.0] * len(site.inputs))
                loss = site.run(streams=o["H"])
                self.close("deferred collapse", [loss], [sum(end)], 1e-6)  # its eps is 1e-20

    def test_initial_maps(self):
        """I19: how near the identity the families begin."""
        for wiring, n, options, diagonal in [("mhc_lite", 4, {}, 0.99401), ("krom", 4, {}, 0.99933),
                                             ("spectral", 4, {}, 0.99950)]:
            with self.subTest(wiring):
                for M in Site(self, wiring, n, **options).maps():
                    self.close(f"I19 {wiring}", [M[k][k] for k in range(n)], [diagonal] * n, 6e-6)
        M = Site(self, "tbp", 4).maps()[0]
        self.close("tbp begins in the middle", M, FAMILIES["tbp_n4_zero"]["value"])
        self.assertLess(gap(Site(self, "jpmhc", 4).maps()[0], identity(4)), 0.1)


class Invariants(harness.TestCase):
    EXACT = [("mhc_lite", {}, (1, 2, 3, 4)), ("krom", {}, (2, 4, 8)), ("go_mhc", {}, (1, 2, 3, 4)),
             ("go_mhc", {"s": 1}, (2, 4)), ("tbp", {}, (2, 3, 4, 8)), ("spectral", {}, (2, 3, 4, 8) if harness.EVERYTHING else (2, 3))]

    def each(self, check, cases=EXACT):
        """`check` gets a site of random parameters, its maps and how exact its sums are."""
        for wiring, options, counts in cases:
            for n in counts:
                with self.subTest(wiring=wiring, n=n, **options):
                    site = Site(self, wiring, n, **options)
                    site.randomise(2.0)
                    check(wiring, site, site.maps(), 1e-6 if wiring == "tbp" else 1e-12)

    def test_sums(self):
        """I1, I2: the weights that enter a stream, and those that leave it, sum to one."""
        def check(wiring, site, maps, exact):
            worst = max(abs(sum(line) - 1) for M in maps for line in [*M, *transpose(M)])
            print(f"I1, I2 {wiring} n={site.n}: {worst:.1e}")
            self.assertLess(worst, exact)
            if site.n > 1:
                self.assertGreater(gap(maps[0], maps[1]), 1e-3, "depends on the state")
        self.each(check)

    def test_signs(self):
        """I3: no entry is negative; but some of the spectral sphere's are."""
        def check(wiring, site, maps, exact):
            least = min(flat(maps))
            print(f"I3 {wiring} n={site.n}: {least:.3f}")
            if wiring == "spectral" and site.n > 2:
                self.assertLess(least, -0.01)
            else:
                self.assertGreaterEqual(least, -exact)
        self.each(check)

    def test_products(self):
        """I4, I7: a chain of maps keeps its sums, and none of them lengthens anything."""
        def check(wiring, site, maps, exact):
            chain = identity(site.n)
            for M in maps:
                chain = product(M, chain)
                self.assertLess(norm2(M), 1 + 1000 * exact)
            worst = max(abs(sum(line) - 1) for line in [*chain, *transpose(chain)])
            gain = max(sum(map(abs, line)) for line in [*chain, *transpose(chain)])
            print(f"I4 {wiring} n={site.n}: {len(maps)} maps, sums {worst:.1e}, gain {gain:.6f}")
            self.assertLess(worst, 10 * exact)
            if wiring != "spectral":
                self.assertLess(abs(gain - 1), 10 * exact)
        self.each(check)

    def test_streams(self):
        """I5: without the branch the streams' sum stays. I6: so does every one of equal streams."""
        def check(wiring, site, maps, exact):
            site.set(Q=0, bq=-1000)  # nothing is written
            streams = [[math.sin(1 + 3 * i + c) for c in range(site.d)] for i in range(site.n)]
            site.run(streams=streams)
            after = site.probe("H")[0]
            error = gap([sum(x) for x in zip(*streams)], [sum(x) for x in zip(*after)])
            site.run(streams=[streams[0]] * site.n)
            still = gap(site.probe("H")[0], [streams[0]] * site.n)
            print(f"I5 {wiring} n={site.n}: {error:.1e}, I6 {still:.1e}")
            self.assertLess(max(error, still), exact)
            self.assertEqual(site.n > 1, gap(after, streams) > 1e-3)
        self.each(check)

    def test_orthogonal(self):
        """I8: jpmhc's map keeps lengths, to 1e-3 for small logits, as its paper accepts."""
        for n in (1, 2, 4, 8) if harness.EVERYTHING else (1, 2, 4):
            logits = [[0.5 * math.sin(1 + 3 * i + j) for j in range(n)] for i in range(n)]
            for iters, limit in [(2, 1e-3), (8, 1e-6)]:
                with self.subTest(n=n, iters=iters):
                    site = Site(self, "jpmhc", n, iters=iters)
                    site.set(R=0, br=logits)
                    M = site.maps()[0]
                    error = gap(product(transpose(M), M), identity(n))
                    print(f"I8 jpmhc n={n}, {iters} steps: {error:.1e}")
                    self.assertLess(error, limit)
                    self.assertEqual(n > 1, gap(M, identity(n)) > 1e-2)

    def test_commuting(self):
        """I9: krom's maps are symmetric and commute."""
        def check(wiring, site, maps, exact):
            A, B = maps[0], maps[-1]
            self.assertLess(gap(A, transpose(A)), 1e-15)
            self.assertLess(gap(product(A, B), product(B, A)), 1e-14)
            self.assertGreater(gap(A, B), 1e-3)
        self.each(check, [("krom", {}, (2, 4, 8))])

    def test_scale(self):
        """I14: weights do not change when the state grows; eps alone keeps it from being exact."""
        def check(wiring, site, maps, exact):
            streams = [[100 * math.sin(1 + 3 * i + c) for c in range(site.d)] for i in range(4)]
            site.run(streams=streams)
            first = site.probe("M")[0]
            site.run(streams=[[1000 * x for x in row] for row in streams])
            self.assertLess(gap(first, site.probe("M")[0]), 1e-9)
            self.assertGreater(gap(first, maps[0]), 1e-3)
        self.each(check, [(w, {}, (4,)) for w in ("mhc_lite", "krom", "go_mhc", "tbp", "spectral",
                                                  "jpmhc")])

    def test_stationary_start(self):
        """I18: at zero logits no gradient reaches go_mhc's map. That is why it does not begin there."""
        site = Site(self, "go_mhc", 4)
        self.assertGreater(min(map(abs, site.own["br"].data)), 0)
        for zero in (True, False):
            site.randomise()
            site.set(R=0)
            if zero:
                site.set(br=0)
            site.run()
            site.model.backward()
            size = max(map(abs, site.own["br"].gradient))
            print(f"I18 go_mhc, {'zero' if zero else 'random'} logits: gradient {size:.1e}")
            if zero:
                self.assertEqual(size, 0)
            else:
                self.assertGreater(size, 1e-4)

    def test_spectral_start(self):
        """Both rotations' gradients are opposite where both are zero."""
        site = Site(self, "spectral", 4)
        site.run(streams=[[math.sin(1 + 3 * i + c) for c in range(3)] for i in range(4)])
        site.model.backward()
        u, v = list(site.own["bu"].gradient), list(site.own["bv"].gradient)
        self.assertGreater(max(map(abs, u)), 1e-9)
        self.assertLess(gap(u, [-x for x in v]), 1e-15)


class Equal(harness.TestCase):
    """Connections that are the same function."""

    def test_two_streams(self):
        """E18: every doubly stochastic map of two streams is [[p, 1 - p], [1 - p, p]]."""
        sigmoid = lambda x: 1 / (1 + math.exp(-x))
        for wiring, logits, p in [
                ("mhc", [[0.3, -1.1], [0.7, 2.0]], sigmoid((0.3 + 2.0 - -1.1 - 0.7) / 2)),
                ("mhc_lite", [0.4, -0.9], sigmoid(1.3)), ("krom", [0.4, -0.9], sigmoid(1.3)),
                ("tbp", [0.6], sigmoid(0.6))]:
            with self.subTest(wiring):
                site = Site(self, wiring, 2)
                site.set(R=0, br=logits)
                M = site.maps()[0]
                self.assertLess(gap(M, [[p, 1 - p], [1 - p, p]]), 1e-7 if wiring == "mhc" else 1e-14)

    def same(self, left, right, tolerance):
        """Equal losses, and equal gradients of what both call the same."""
        self.assertLess(abs(left.run() - right.run()), tolerance)
        left.model.backward()
        right.model.backward()
        for name in ("P", "Q", "bp", "bq", "ap", "aq", left.stream_parameter()):
            error = gap(list(left.own[name].gradient), list(right.own[name].gradient))
            self.assertLess(error, tolerance, name)

    def test_kronecker(self):
        """E19, E20: krom is mhc_lite with weights on the products of the factors' permutations."""
        for n, order in [(2, [0, 1]), (4, [0, 7, 16, 23])]:
            with self.subTest(n=n):
                krom, lite = Site(self, "krom", n), Site(self, "mhc_lite", n)
                for site in (krom, lite):
                    site.randomise()
                    site.set(R=0)
                logits = [[0.3, -0.4], [0.9, -0.2]][: n // 2]
                krom.set(br=logits)
                weights = [0.0] * math.factorial(n)
                for k, at in enumerate(order):
                    chosen = [logits[0][k // 2], logits[1][k % 2]] if n == 4 else [logits[0][k]]
                    weights[at] = sum(chosen)
                lite.set(br=[w if k in order else -800.0 for k, w in enumerate(weights)])
                self.assertLess(gap(krom.maps(), lite.maps()), 1e-15)
                self.same(krom, lite, 1e-13)

    def test_orthostochastic(self):
        """E21: with s = 1 the entries are an orthogonal map's, squared."""
        site = Site(self, "go_mhc", 3, s=1)
        a, b, c = 0.4, -0.7, 0.2
        site.set(R=0, br=[a, b, c])
        A = [[0, a, b], [-a, 0, c], [-b, -c, 0]]
        minus = [[float(i == j) - A[i][j] for j in range(3)] for i in range(3)]
        plus = [[float(i == j) + A[i][j] for j in range(3)] for i in range(3)]
        Q = product(minus, inverse(plus))
        self.assertLess(gap(product(transpose(Q), Q), identity(3)), 1e-14)
        self.assertLess(gap(site.maps()[0], [[x * x for x in row] for row in Q]), 1e-14)

    def test_orders(self):
        """E23: the paper's order and DeepSeek-V4's are one but for eps."""
        left, right = Site(self, "mhc", 4), Site(self, "mhc", 4, v4="true")
        for site in (left, right):
            site.randomise()
        maps = left.maps(), right.maps()
        self.assertLess(gap(*maps), 5e-6)
        self.assertGreater(gap(*maps), 1e-9)

    def test_uniform(self):
        """E14, E15: zero logits: reads half, writes one, every stream becomes the mean and y."""
        site = Site(self, "mhc", 4)
        site.set(P=0, Q=0, R=0, bp=0, bq=0, br=0)
        streams = [[math.sin(1 + 3 * i + c) for c in range(3)] for i in range(4)]
        site.run(streams=streams)
        x = site.probe("x")[0]
        self.assertLess(gap(x, [0.5 * sum(column) for column in zip(*streams)]), 1e-14)
        want = [sum(column) / 4 + math.tanh(v) for column, v in zip(zip(*streams), x)]
        self.assertLess(gap(site.probe("H")[0], [want] * 4), 1e-14)

    def test_single_stream(self):
        """E13: one stream that is read and written whole is the residual; so it is for each family."""
        for wiring in ("mhc", "ihc", "mhc_lite", "go_mhc"):
            with self.subTest(wiring):
                site = Site(self, wiring, 1)
                site.randomise()
                site.set(P=0, Q=0, bp=1000, bq=0)
                site.run()
                streams = list(site.own[site.stream_parameter()].data)
                h = [x + e for x, e in zip(site.inputs, streams * SAMPLES * POSITIONS)]
                self.assertLess(gap(site.probe("H"), [v + math.tanh(v) for v in h]), 2e-6)

    def test_identity_limit(self):
        """E16, E17: with logits so large that nothing mixes, mhc and ihc are static streams."""
        static = Site(self, "shc", 4, start=2)
        draw = random.Random(5)
        draws = [draw.gauss(0, 1) for _ in range(12)]
        static.set(**{static.stream_parameter(): draws})
        static.run()
        far = [[0.0 if i == j else -200.0 for j in range(4)] for i in range(4)]
        for wiring in ("mhc", "ihc"):
            with self.subTest(wiring):
                site = Site(self, wiring, 4)
                site.set(P=0, Q=0, bq=0, bp=[-1000, -1000, 1000, -1000],
                         **{site.stream_parameter(): draws})
                if wiring == "mhc":
                    site.set(R=0, br=far)
                site.run()
                error = gap(site.probe("H"), static.probe("H"))
                print(f"{'E16' if wiring == 'mhc' else 'E17'} {wiring}: {error:.1e} from shc")
                self.assertLess(error, 1e-13 if wiring == "mhc" else 1e-5)


def inverse(A):
    n = len(A)
    rows = [list(map(float, row)) + e for row, e in zip(A, identity(n))]
    for k in range(n):
        p = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[p] = rows[p], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k])]
    return [row[n:] for row in rows]


class Counts(harness.TestCase):
    """Parameters a site, by formula."""

    FORMULAS = {
        "ihc": lambda n, d: 2 * n * n * d + 2 * n + 2,
        "mhc": lambda n, d: n * d * (n * n + 2 * n) + n * n + 2 * n + 3,
        "mhc_deferred": lambda n, d: n * d * (n * n + 2 * n) + n * n + 2 * n + 3,
        "mhc_lite": lambda n, d: n * d * (math.factorial(n) + 2 * n) + math.factorial(n) + 2 * n + 3,
        "krom": lambda n, d: n * d * (2 * n + 2 * round(math.log2(n))) + 2 * n
        + 2 * round(math.log2(n)) + 3,
        "go_mhc": lambda n, d: n * d * (n * (2 * n - 1) + 2 * n) + n * (2 * n - 1) + 2 * n + 3,
        "tbp": lambda n, d: n * d * (2 * n + (n - 1) ** 2) + 2 * n + (n - 1) ** 2 + 3,
        "spectral": lambda n, d: n * d * (2 * n + (n - 1) ** 2) + 2 * n + (n - 1) ** 2 + 5,
        "jpmhc": lambda n, d: 3 * n * n * n * d + 3 * n * n,
    }

    def test_formulas(self):
        """At n = 4 and d = 256 they give known numbers."""
        known = {"ihc": 8202, "krom": 12303, "tbp": 17428, "mhc": 24603, "mhc_lite": 32803,
                 "go_mhc": 36903}
        for wiring, count in known.items():
            self.assertEqual(self.FORMULAS[wiring](4, 256), count, wiring)

    def test_counts(self):
        file = self.write("site.hc", SITE)
        for wiring, formula in self.FORMULAS.items():
            for n in (4,) if wiring != "mhc_lite" else (3, 4):
                with self.subTest(wiring=wiring, n=n):
                    reduce = "" if wiring == "mhc_deferred" else ", reduce=sum_streams"
                    out = self.path(f"{wiring}{n}.so")
                    build(out, file=file, d=6, wiring=f"{wiring}(n={n}{reduce})")
                    with Model(out, 1, 1) as model:
                        found = sum(math.prod(p.dims) for p in model.parameters.values())
                    self.assertEqual(found, formula(n, 6))

    def test_refused(self):
        """What a family cannot do is said where it was asked for."""
        file = self.write("site.hc", SITE)
        for wiring, message in [("krom(n=6)", "product of twos"), ("krom(n=1)", "product of twos"),
                                ("mhc_lite(n=8)", "n! permutations"), ("tbp(n=1)", "one stream"),
                                ("spectral(n=1)", "one stream"),
                                ("go_mhc(n=1, s=1)", "two dimensions")]:
            with self.subTest(wiring):
                result = self.expect(harness.hcc("check", file, "--set", f"wiring={wiring}"), 1)
                self.assertIn(message, result.out + result.err)
                self.assertIn("error[E0229]", result.out + result.err)
                self.assertIn("site.hc:20", result.out + result.err)
                self.assertEqual((result.out + result.err).count("error["), 1)


if __name__ == "__main__":
    harness.main(__name__)
