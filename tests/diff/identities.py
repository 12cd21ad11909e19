#!/usr/bin/env python3
"""Connections that must agree, and properties that their maps must have, in compiled code: two trunks
of one model with the same input and the same branches, or one trunk looked into.

The numbers E1, I1 and so on are those of docs/tested.md. Needs the standard library of Python alone.
"""

import itertools
import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Failure, Model, build, harness

POSITIONS, D = 4, 6
ONLY = os.environ.get("HCC_ONLY", "").split()  # some connections alone: quicker while one changes

SOURCE = """
/// Streams that differ from the start, and an end that sees each of them.
module spread(n) : x[d] -> H[n, d] {
  param S[n, d] ~ normal(1);
  let H[i,c] = S[i,c] * x[c];
}
module weigh : H[n, d] -> x[d] {
  param R[n, d] ~ normal(1);
  probe H;
  let x[c] = sum[i] R[i,c] * H[i,c];
}
module seen : H[n, d] -> x[d] {
  probe H;
  let x[c] = sum[i] H[i,c];
}
/// Slots of width e for virtual width: as many copies as fit; the first m of them joined.
fn repeated(x[d], n, e) -> H[n, e] {
  let H[j < n, a < e] = x[j %% (d / e) * e + a];
}
fn first(H[n, e], d) -> x[d] {
  let P[k < d / e, a] = H[k,a];
  let x[k*e + a] = P[k,a];
}
fn total(H[n, e], d) -> x[e] {
  let x[a] = sum[j] H[j,a];
}
fn exactly(L[n, n], iters) -> M[n, n] {
  let M = sinkhorn_v4(L, iters, 0);
}
/// Columns and rows divided in turn, the straightforward way.
fn by_turns(L[n, n], iters) -> M[n, n] {
  let M[k,j] = exp(L[k,j]);
  iterate iters {
    M[k,j] = M[k,j] / sum[i] M[k,i];
    M[k,j] = M[k,j] / sum[i] M[i,j];
  }
}
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
/// What mhc without weights computes: half the sum is read, all streams become one.
connection pooled(n = 3, norm = none) {
  state H[n, d];
  begin H[i,c] = x[c] * (1 + i);
  let u[c]     = 0.5 * sum[i] H[i,c];
  read x       = norm(u);
  write H[k,c] = mean[j] H[j,c] + y[c] + 0 * identity[k,0];
  let s[c]     = sum[i] H[i,c];
  end x        = s;
}
module stairs(n) : x[d] -> H[n, d] {
  let H[i < n, c] = x[c] * (1 + i);
}
%(more)s
model one {
  const d = %(d)d;
  positions t <= %(positions)d;
  param XL[%(positions)d, d], XR[%(positions)d, d], G[%(positions)d, d] ~ normal(1);
  let xl = embed(t, XL), xr = embed(t, XR), g = embed(t, G);
  let left = trunk(xl) { %(left)s };
  let right = trunk(xr) { %(right)s };
  probe left;
  probe right;
  loss sum[c] g[c] * left[c];
  loss sum[c] g[c] * right[c];
}
train one { optimizer adamw(lr = 0.03, weight_decay = 0); schedule constant; }
"""


def flat_index(dims, at):
    k = 0
    for extent, i in zip(dims, at):
        k = k * extent + i
    return k


class Two:
    """Two trunks. `left` and `right` name connections; sites are called a, b, ..."""

    def __init__(self, case, left, right=None, sites=2, more="", f64=True, d=D):
        self.case = case
        names = "abcdefgh"[:sites]
        words = {"more": more, "d": d, "positions": POSITIONS}
        for side, connection in (("left", left), ("right", right or "residual")):
            words[side] = " ".join(f"{name} = {connection} : bend;" for name in names)
        number = len(os.listdir(case.folder))
        file = case.write(f"m{number}.hc", SOURCE % words)
        self.model = Model(build(case.path(f"m{number}.so"), file=file, f64=f64), 1, POSITIONS)
        case.addCleanup(self.model.close)
        self.model.init(1)
        self.parameters = self.model.parameters
        for name in ("G", "XL"):
            self.draw(name, 1)
        self.set("XR", list(self.parameters["XL"].data))
        for name in names:
            self.draw(f"left.{name}.W", 0.5)
            self.set(f"right.{name}.W", list(self.parameters[f"left.{name}.W"].data))

    def draw(self, name, size, mean=0):
        own = random.Random(name)
        data = self.parameters[name].data
        data[:] = [own.gauss(mean, size) for _ in data]

    def set(self, name, values):
        data = self.parameters[name].data
        data[:] = values if isinstance(values, list) else [values] * len(data)

    def own(self, side="left"):
        """Names of what belongs to the connections of a side."""
        return [name for name in self.parameters
                if name.startswith(side + ".") and ".hc." in name]

    def randomise(self, side="left", size=0.4):
        """About the initial values; mixing logits about 0, where Sinkhorn's scaling converges."""
        for name in self.own(side):
            if name.endswith(".br"):
                self.set(name, 0)
            own = random.Random(name.split(".", 1)[1])
            data = self.parameters[name].data
            data[:] = [x + own.gauss(0, size) for x in data]

    def run(self):
        loss = self.model.forward()
        self.model.backward()
        return loss

    def value(self, name):
        return self.model.output(name)[0]

    def gradient(self, name):
        return list(self.parameters[name].gradient)

    def maps(self, probe="hc.M", side="left"):
        """Matrices by site, position: rows are destinations."""
        found = {}
        for name in "abcdefgh":
            try:
                values, dims = self.model.output(f"{side}.{name}.{probe}")
            except Failure:  # no such site
                break
            n = dims[-1]
            found[name] = [[values[k + i * n : k + (i + 1) * n] for i in range(n)]
                           for k in range(0, len(values), n * n)]
        return found

    def matrices(self, **options):
        return [M for site in self.maps(**options).values() for M in site]

    def gap(self, gradients=True):
        """Largest relative difference of the two sides' results and of their inputs' gradients."""
        self.run()
        gap = relative(self.value("left"), self.value("right"))
        if gradients:
            gap = max(gap, relative(self.gradient("XL"), self.gradient("XR")))
        return gap


def relative(a, b):
    if len(a) != len(b):
        raise AssertionError(f"{len(a)} against {len(b)} values")
    size = max(map(abs, b))
    return max(abs(x - y) for x, y in zip(a, b)) / size


APART = "expand = spread, reduce = weigh"


class Equivalences(harness.TestCase):
    def same(self, what, gap, limit=1e-13):
        print(f"{what}: {gap:.1e}")
        self.assertLess(gap, limit, what)

    def test_one_stream(self):
        two = Two(self, "shc(n = 1)", "residual")
        self.same("E3 shc(n = 1) and the residual", two.gap(), 1e-15)
        two.set("left.a.hc.B", 0.5)
        self.assertGreater(two.gap(), 1e-3, "the comparison can fail")

    def test_one_fraction(self):
        two = Two(self, "frac(m = 1)", "dhc(n = 1)")
        two.randomise()
        for site in "ab":
            for left, right in (("Y", "Am"), ("A", "Ar"), ("B", "B"), ("Wy", "Wm"), ("Wa", "Wr"),
                                ("Wb", "Wb"), ("sg", "sa"), ("sb", "sb")):
                two.set(f"right.{site}.hc.{right}", list(two.parameters[f"left.{site}.hc.{left}"].data))
        self.same("E8 frac(m = 1) and dhc(n = 1)", two.gap())

    def test_one_slot_of_virtual_width(self):
        n = 3
        two = Two(self, f"ghc(m = 1, n = {n}, expand = repeated, reduce = total)", f"dhc(n = {n})")
        two.randomise("right")
        for site in "ab":
            left, right = (f"{side}.{site}.hc." for side in ("left", "right"))
            for name, other in (("Y", "Am"), ("A", "Ar"), ("B", "B")):
                two.set(left + name, list(two.parameters[right + other].data))
            for name, other in (("WY", "Wm"), ("WA", "Wr"), ("WB", "Wb")):
                two.set(left + name, [x * math.sqrt(D) for x in two.parameters[right + other].data])
            for name, other in (("SY", "sa"), ("SA", "sa"), ("SB", "sb")):
                two.set(left + name, two.parameters[right + other].data[0])
        self.same("E10 ghc(m = 1) and dhc", two.gap())

    def test_as_many_slots_as_fractions(self):
        m = 3
        two = Two(self, f"ghc(m = {m}, n = {m}, expand = repeated, reduce = first)", f"frac(m = {m})")
        two.randomise("right")
        root = math.sqrt(D / m)
        for site in "ab":
            left, right = (f"{side}.{site}.hc." for side in ("left", "right"))
            of = {name: list(two.parameters[right + name].data)
                  for name in ("Y", "A", "B", "Wy", "Wa", "Wb", "sg", "sb")}
            eye = [float(i == j) for i in range(m) for j in range(m)]
            two.set(left + "Y", of["Y"])
            two.set(left + "A", of["A"])
            two.set(left + "B", [of["B"][k // m] * x for k, x in enumerate(eye)])
            two.set(left + "WY", [x * root for x in of["Wy"]])
            two.set(left + "WA", [x * root for x in of["Wa"]])
            two.set(left + "WB", [x * root for _ in range(m) for x in of["Wb"]])
            two.set(left + "SY", of["sg"][0])
            two.set(left + "SA", of["sg"][0])
            two.set(left + "SB", [of["sb"][0] * x for x in eye])
        self.same("E11 ghc(n = m) with a diagonal and frac", two.gap())

    def test_virtual_width_begins_as_the_residual(self):
        for m, n in ((2, 3), (2, 4), (3, 5)):
            two = Two(self, f"ghc(m = {m}, n = {n}, expand = repeated, reduce = first)", "residual")
            self.same(f"E12 ghc(m = {m}, n = {n}) at first and the residual", two.gap())

    def test_manifold_of_one_stream(self):
        two = Two(self, "mhc(n = 1)", "residual")
        two.randomise()
        for site in "ab":
            two.set(f"left.{site}.hc.bp", 60)
            two.set(f"left.{site}.hc.bq", 0)
            two.set(f"left.{site}.hc.aq", 0)
        self.same("E13 mhc(n = 1), open and written with 1, and the residual", two.gap())
        self.assertEqual({M[0][0] for M in two.matrices()}, {1.0})

    def test_manifold_without_weights(self):
        two = Two(self, "mhc(n = 3, norm = none, expand = stairs)", "pooled")
        for name in two.own():
            two.set(name, 0)
        self.same("E14 mhc with logits 0 and the mean of the streams", two.gap())
        self.assertTrue(two.matrices())
        for M in two.matrices():
            for row in M:
                for x in row:
                    self.assertAlmostEqual(x, 1 / 3, delta=1e-16)

    def test_post_logit_zero(self):
        text = harness.hcc("show", "mhc").out
        line = next(line for line in text.splitlines() if "let post[k]" in line)
        text = text.replace(line, "  let post[k] = 1 + 0 * bq[k];").replace("connection mhc(",
                                                                            "connection plain(")
        two = Two(self, f"mhc(n = 3, {APART})", f"plain(n = 3, {APART})", more=text)
        two.randomise()
        for name in two.own():
            if name.split(".")[-1] in ("Q", "bq"):
                two.set(name, 0)
        for name in two.own("right"):
            two.set(name, list(two.parameters["left" + name[5:]].data))
        self.same("E15 post logits 0 and exactly 1", two.gap(), 1e-15)

    def test_steep_manifold(self):
        n = 3
        two = Two(self, f"mhc(n = {n})", f"shc(n = {n})", sites=3)
        for tau in (2, 5, 10, 20):
            for name in two.own():
                two.set(name, 0)
                if name.endswith(".br"):
                    two.set(name, [tau * float(i == j) for i in range(n) for j in range(n)])
            two.run()
            error = max(abs(M[i][j] - (i == j)) for M in two.matrices()
                        for i in range(n) for j in range(n))
            print(f"E16 mhc with {tau} times the identity: {error:.1e} from it")
            self.assertLess(error, (n - 1) * math.exp(-tau) * 1.001 + 1e-16)
            self.assertGreater(error, (n - 1) * math.exp(-tau) / (n + 2))
        for k, site in enumerate("abc"):
            two.set(f"left.{site}.hc.br", [60 * float(i == j) for i in range(n) for j in range(n)])
            two.set(f"left.{site}.hc.bp", [60.0 if i == k % n else -60.0 for i in range(n)])
        self.same("E16, E1 mhc with an open start and the identity, and shc", two.gap())

    def test_all_streams_active(self):
        """E25: nothing is chosen and there are no convolutions; rows of M sum to one, or less."""
        n = 3
        two = Two(self, f"xhc(n = {n}, active = {n}, fixed = {n}, temporal = false, {APART})",
                  f"mhc(n = {n}, {APART})")
        two.randomise()
        for name in two.own():  # xhc calls its read-out h
            right = "right" + name[4:].replace(".hc.h.", ".hc.s.")
            two.set(right, list(two.parameters[name].data))
        self.assertEqual(len(two.own()), len(two.own("right")))
        self.same("E25 xhc with every stream fixed and mhc", two.gap(), 1e-12)
        two.set("left.b.hc.bq", 1)
        self.assertGreater(two.gap(), 1e-3, "the comparison can fail")

    def test_orders(self):
        """E23, E24: whose sums are divided first: DeepSeek-V4's loop is the paper's, in both layouts."""
        logits = {}
        for left, right, iters, limit in (
                ("sinkhorn", "exactly", 1, 1e-14), ("sinkhorn", "exactly", 20, 1e-14),
                ("sinkhorn", "sinkhorn_v4", 20, 6e-6),
                ("sinkhorn_transposed", "by_turns", 1, 1e-14),
                ("sinkhorn_transposed", "by_turns", 3, 1e-14),
                ("sinkhorn_transposed", "sinkhorn_log", 20, 1e-14)):
            two = Two(self, *(f"mhc_v2(n = 3, iters = {iters}, constraint = {f}, {APART})"
                              for f in (left, right)), sites=1)
            two.randomise(size=1)
            for name in two.own("right"):
                two.set(name, list(two.parameters["left" + name[5:]].data))
            gap = two.gap()
            if right == "sinkhorn_v4":  # of the maps: its eps is not the other's
                gap = max(abs(x - y) for A, B in zip(two.matrices(), two.matrices(side="right"))
                          for a, b in zip(A, B) for x, y in zip(a, b))
            number = "E23" if right in ("exactly", "sinkhorn_v4") else "E24"
            self.same(f"{number} {left} and {right}, {iters} iterations", gap, limit)
            logits[left, iters] = two.matrices()
        gap = max(abs(x - y) for A, B in zip(logits["sinkhorn", 1], logits["sinkhorn_transposed", 1])
                  for a, b in zip(A, B) for x, y in zip(a, b))
        self.assertGreater(gap, 1e-2, "the orders differ after one iteration")

    def test_a_map_of_streams_is_a_gauge(self):
        """Where reads, writes, begin and end are free, static mixing does nothing: streams H = P H', with the P of a
        site its mixing times that before, need none. P begins as any matrix that has an inverse."""
        n, sites = 3, "abc"
        two = Two(self, f"shc(n = {n}, {APART})", f"shc(n = {n}, {APART})", sites=len(sites))
        two.randomise()
        own = random.Random("gauge")
        rows = lambda name: [list(two.parameters[name].data[k * n : (k + 1) * n]) for k in range(n)]
        columns = lambda name: [list(two.parameters[name].data[k * D : (k + 1) * D]) for k in range(n)]
        flat = lambda A: [x for row in A for x in row]
        P = [[own.gauss(0, 0.4) + (i == j) for j in range(n)] for i in range(n)]
        two.set("right.a.hc.expand.S", flat(product(inverse(P), columns("left.a.hc.expand.S"))))
        for site in sites:
            left, right = (f"{side}.{site}.hc." for side in ("left", "right"))
            two.set(right + "Am", flat(product([list(two.parameters[left + "Am"].data)], P)))
            P = product(rows(left + "Ar"), P)
            two.set(right + "Ar", flat([[float(i == j) for j in range(n)] for i in range(n)]))
            two.set(right + "B", flat(product(inverse(P), [[b] for b in two.parameters[left + "B"].data])))
        R = columns("left.c.hc.reduce.R")
        two.set("right.c.hc.reduce.R", flat(product([list(row) for row in zip(*P)], R)))
        self.same("E34 a static map of streams, and none", two.gap(), 1e-11)
        two.set("right.b.hc.B", 1)
        self.assertGreater(two.gap(), 1e-3, "the comparison can fail")

    def test_equal_streams_add_their_read_weights(self):
        two = Two(self, "shc(n = 3, norm = none)", "shc(n = 3, norm = none)")
        for site in "ab":
            two.set(f"left.{site}.hc.Am", [0.3, 0.9, -0.2])
            two.set(f"right.{site}.hc.Am", [0.0, 0.0, 1.0])
        self.same("E32 equal streams, read weights of one sum", two.gap())
        two.set("left.b.hc.Am", [0.3, 0.9, -0.1])
        self.assertGreater(two.gap(), 1e-3)


def product(A, B):
    return [[sum(a * b for a, b in zip(row, column)) for column in zip(*B)] for row in A]


def inverse(A):
    """By elimination, the largest entry of what is left first."""
    n = len(A)
    rows = [list(row) + [float(i == j) for j in range(n)] for i, row in enumerate(A)]
    for k in range(n):
        at = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[at] = rows[at], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k])]
    return [row[n:] for row in rows]


class Maps(harness.TestCase):
    def test_sums_and_products(self):
        """I1: rows of mhc's maps, columns of the package's; I4: so are their products over sites."""
        for connection, exact in (("mhc", 0), ("mhc_v2", 1), ("mhc(v4 = true)", None)):
            inside = f"{connection[:-1]}, " if connection.endswith(")") else f"{connection}("
            two = Two(self, f"{inside}n = 4, iters = 3, {APART})", sites=4)
            two.randomise(size=1)
            two.run()
            maps = two.maps()
            self.assertEqual(len(maps), 4)
            errors = [0.0, 0.0]  # rows, columns
            whole = None
            for M in zip(*maps.values()):  # of one position, site after site
                whole = M[0]
                for later in M[1:]:
                    whole = product(later, whole)
                for A in (*M, whole):
                    self.assertGreaterEqual(min(min(row) for row in A), 0)
                    errors[0] = max(errors[0], *(abs(sum(row) - 1) for row in A))
                    errors[1] = max(errors[1], *(abs(sum(row) - 1) for row in zip(*A)))
            print(f"I1, I4 {connection}, 3 iterations: rows {errors[0]:.1e}, columns {errors[1]:.1e} "
                  f"from 1, products of 4 sites too")
            if exact is None:
                self.assertLess(errors[0], 1e-5)
            else:
                self.assertLess(errors[exact], 1e-14)
                self.assertGreater(errors[1 - exact], 1e-4)

    def test_unconstrained_products_grow(self):
        two = Two(self, f"shc(n = 4, {APART})", sites=8)
        two.randomise()
        whole = None
        for site in "abcdefgh":
            A = list(two.parameters[f"left.{site}.hc.Ar"].data)
            A = [A[k : k + 4] for k in range(0, 16, 4)]
            whole = product(A, whole) if whole else A
        gain = max(sum(map(abs, row)) for row in whole)
        print(f"I4 shc: composite gain {gain:.1f} over 8 sites")
        self.assertGreater(gain, 2)

    def test_sum_of_streams(self):
        """I5: columns that sum to one keep the sum of the streams; I6: rows keep equal streams."""
        for iters, limit, least in ((3, 1, 1e-4), (300, 1e-12, 0)):
            two = Two(self, f"mhc(n = 4, iters = {iters}, norm = none, {APART})", sites=1)
            two.randomise(size=0.3)
            two.set("left.a.W", 0)
            two.run()
            H, x = two.value("left.a.hc.reduce.H"), list(two.parameters["XL"].data)
            S = list(two.parameters["left.a.hc.expand.S"].data)
            gap = max(abs(sum(H[(t * 4 + i) * D + c] for i in range(4)) -
                          sum(S[i * D + c] for i in range(4)) * x[t * D + c])
                      for t in range(POSITIONS) for c in range(D))
            print(f"I5 mhc, {iters} iterations: sum of the streams kept to {gap:.1e}")
            self.assertLess(gap, limit)
            self.assertGreater(gap, least - 1e-30)
        two = Two(self, "mhc(n = 4, iters = 2, norm = none, reduce = seen)", sites=2)
        two.randomise(size=0.7)
        for site in "ab":
            two.set(f"left.{site}.W", 0)
        two.run()
        H, x = two.value("left.b.hc.reduce.H"), list(two.parameters["XL"].data)
        gap = max(abs(H[(t * 4 + i) * D + c] - x[t * D + c])
                  for t in range(POSITIONS) for i in range(4) for c in range(D))
        print(f"I6 mhc, 2 iterations: equal streams kept to {gap:.1e}")
        self.assertLess(gap, 1e-14)

    STREAM_AXES = {  # of each parameter, those that count streams
        "shc": {"Am": [0], "Ar": [0, 1], "B": [0]},
        "dhc": {"Am": [0], "Ar": [0, 1], "B": [0], "Wr": [0]},
        "mhc": {"P": [0, 1], "Q": [0, 1], "R": [0, 1, 2], "bp": [0], "bq": [0], "br": [0, 1]},
        "ihc": {"P": [0, 1], "Q": [0, 1], "bp": [0], "bq": [0]},
        "mhc_lite": {"P": [0, 1], "Q": [0, 1], "R": [1], "bp": [0], "bq": [0], "br": []},
        "go_mhc": {"P": [0, 1], "Q": [0, 1], "R": [1], "bp": [0], "bq": [0], "br": []},
        "jpmhc": {name: [0, 1, 2] for name in "PQR"} | {f"b{x}": [0, 1] for x in "pqr"},
        "xhc(active = 3, fixed = 1)":
            {"P": [0, 1], "T": [0, 1], "bp": [0], "R": [], "Q": [], "br": [], "bq": []},
        "harmonised": {"p": [0], "q": [0], "L": [0, 1]},
        "hyper_connections": {"Am": [3], "Ar": [1, 3], "B": [0], "Wr": [1]},
        "hyper_connections(fracs = 2)": {"Am": [3], "Ar": [1, 3], "B": [0], "Wr": [1]},
        "hyper_connections_branches": {"Am": [1], "Ar": [0, 1], "B": [1], "Wr": [0]},
        "mhc_v2": {"Am": [1], "Ar": [0, 1], "B": [0], "Wr": [1]},
        "parallel": {"Am": [0], "Ar": [0, 1], "B": [0]},
        "krom": {"P": [0, 1], "Q": [0, 1], "R": [2], "bp": [0], "bq": [0], "br": []},
        "tbp": {"P": [0, 1], "Q": [0, 1], "R": [2], "bp": [0], "bq": [0], "br": []},
        "spectral": {"P": [0, 1], "Q": [0, 1], "R": [1], "U": [1], "V": [1], "bp": [0], "bq": [0]},
    }
    # Their streams are not alike: a start at stream 0, a product of factors, an order of filling, a
    # basis.
    ORDERED = ("parallel", "krom", "tbp", "spectral")

    @staticmethod
    def renamed_entry(connection, order):
        """Where entry k of a parameter's first axis goes that counts maps of streams, and its sign."""
        if connection == "mhc_lite":  # permutations, each the source of every destination
            every = list(itertools.permutations(range(len(order))))

            def entry(k):
                to = [0] * len(order)
                for destination, source in enumerate(every[k]):
                    to[order[destination]] = order[source]
                return every.index(tuple(to)), 1
        elif connection == "go_mhc":  # entries above the diagonal of a skew matrix of blocks of 2
            pairs = list(itertools.combinations(range(2 * len(order)), 2))

            def entry(k):
                a, b = (2 * order[x // 2] + x % 2 for x in pairs[k])
                return pairs.index((min(a, b), max(a, b))), 1 if a < b else -1
        else:
            return None
        return entry

    def test_renamed_streams(self):
        """I10: the streams in another order, and all that counts streams: the same network."""
        for connection, axes in harness.share(list(self.STREAM_AXES.items()), 7):
            if ONLY and connection.split("(")[0] not in ONLY:
                continue
            order = [0, 3, 1, 2] if connection.startswith("xhc") else [2, 0, 3, 1]
            with self.subTest(connection):
                ends = "reduce = weigh" if connection == "parallel" else APART
                text = (f"{connection[:-1]}, n = 4, {ends})" if connection.endswith(")")
                        else f"{connection}(n = 4, {ends})")
                two = Two(self, text, text)
                two.randomise()
                entry = self.renamed_entry(connection, order)
                for name in two.own():
                    p, own = two.parameters[name], name.split(".")[-1]
                    turned = {"S": [0], "R": [0]} | axes
                    ending = own == "R" and name.split(".")[-2] != "hc"  # the read-out's
                    where = [0] if ending else turned.get(own, [])
                    moved = list(p.data)
                    for at in itertools.product(*map(range, p.dims)):
                        to, sign = [order[i] if a in where else i for a, i in enumerate(at)], 1
                        if entry and own in ("R", "br") and not ending:
                            to[0], sign = entry(at[0])
                        moved[flat_index(p.dims, to)] = sign * p.data[flat_index(p.dims, at)]
                    two.set("right" + name[4:], moved)
                gap = two.gap()
                print(f"I10 {connection}: {gap:.1e}")
                if connection in self.ORDERED:
                    self.assertGreater(gap, 1e-3)
                else:
                    self.assertLess(gap, 1e-13)

    def test_constants_on_logits(self):
        """I11: a constant on the line that is divided first changes nothing, at any number of
        iterations; I12: on the other, in the limit."""
        for connection, first in (("mhc", 0), ("mhc_v2", 1)):
            for iters in (1, 3, 60):
                two = Two(self, f"{connection}(n = 3, iters = {iters}, {APART})", sites=1)
                two.randomise(size=0.3)
                logits = "left.a.hc." + ("br" if first == 0 else "Ar")
                two.run()
                before, g = two.value("left"), two.gradient(logits)
                rows = [g[k : k + 3] for k in range(0, 9, 3)]
                sums = [max(abs(sum(row)) for row in lines) / max(map(abs, g))
                        for lines in (zip(*rows), rows)]  # over destinations, over sources
                data = two.parameters[logits].data
                for k in range(3):  # the line of the middle source, or of the middle destination
                    data[3 * k + 1 if first == 0 else 3 + k] += 0.7
                two.run()
                gap = relative(two.value("left"), before)
                print(f"I11, I12 {connection}, {iters} iterations: moved by {gap:.1e}; sums of the "
                      f"gradient {sums[first]:.1e} and {sums[1 - first]:.1e}")
                self.assertLess(gap, 1e-14)
                self.assertLess(sums[first], 1e-13)
                if iters == 60:
                    self.assertLess(sums[1 - first], 1e-6)
                else:
                    self.assertGreater(sums[1 - first], 1e-4)

    def test_scale_of_the_state(self):
        """I14: maps that see the state divided by its own size do not see the size."""
        for connection, limit in (("mhc", 1e-9), ("mhc_v2", 1e-13)):
            two = Two(self, f"{connection}(n = 3, {APART})", sites=1)
            two.randomise(size=0.7)
            found = []
            for size in (1e2, 1e5):
                two.draw("XL", size)
                two.run()
                found.append([x for M in two.matrices() for row in M for x in row])
            gap = relative(*found)
            print(f"I14 {connection}: {gap:.1e}")
            self.assertLess(gap, limit)


class Training(harness.TestCase):
    def streams(self, two, site):
        H = two.value(f"left.{site}.hc.reduce.H")
        return [[H[(t * 3 + i) * D + c] for t in range(POSITIONS) for c in range(D)]
                for i in range(3)]

    def test_equal_streams_stay_equal(self):
        """I16: what begins alike in all streams trains alike; one start per site breaks that."""
        for symmetric in (True, False):
            two = Two(self, "mhc(n = 3, reduce = seen)")
            for name in two.own():
                own = name.split(".")[-1]
                if own in ("P", "Q", "R"):
                    two.set(name, 0)
                elif own in ("bp", "bq", "br") and symmetric:
                    two.set(name, 0)
                elif own in ("ap", "aq", "ar"):
                    two.set(name, 0.5)
            for _ in range(20):
                two.run()
                two.model.step()
            two.run()
            H = self.streams(two, "b")
            gap = max(relative(H[i], H[0]) for i in (1, 2))
            print(f"I16 mhc, {'equal' if symmetric else 'its own'} start: streams differ by {gap:.1e} "
                  f"after 20 steps")
            if symmetric:
                self.assertLess(gap, 1e-12)
            else:
                self.assertGreater(gap, 1e-4)

    def test_first_gradients(self):
        """I17: where weights are 0, their scales get no gradient; the weights' is as large as it."""
        two = Two(self, f"dhc(n = 3, {APART})")
        two.run()
        for site in "ab":
            for name in ("sa", "sb"):
                self.assertEqual(two.gradient(f"left.{site}.hc.{name}"), [0.0])
            for name in ("Wm", "Wr", "Wb"):
                self.assertGreater(max(map(abs, two.gradient(f"left.{site}.hc.{name}"))), 1e-8)
        two = Two(self, f"mhc(n = 3, {APART})", sites=1)
        for name in "PQR":
            two.set(f"left.a.hc.{name}", 0)
        found = []
        for scale in (0.01, 0.02):
            for name in ("ap", "aq", "ar"):
                two.set(f"left.a.hc.{name}", scale)
            two.run()
            for name in ("ap", "aq", "ar"):
                self.assertEqual(two.gradient(f"left.a.hc.{name}"), [0.0])
            found.append({name: two.gradient(f"left.a.hc.{name}") for name in "PQR"})
        for name in "PQR":
            self.assertGreater(max(map(abs, found[0][name])), 1e-8)
            self.assertLess(relative([2 * x for x in found[0][name]], found[1][name]), 1e-14)
        print("I17: scales get no gradient while the weights are 0, weights one in proportion to them")


class Counts(harness.TestCase):
    """Parameters of one site by formula, before anything is compiled."""

    FORMULAS = {
        "residual": lambda d, n, F, p: 0,
        "shc(n = {n})": lambda d, n, F, p: n * (n + 2),
        "dhc(n = {n})": lambda d, n, F, p: n * (n + 2) + d * (n + 2) + 2,
        "parallel(n = {n})": lambda d, n, F, p: n * (n + 2),
        "frac(m = {F}, dynamic = false)": lambda d, n, F, p: F * (2 * F + 1),
        "frac(m = {F})": lambda d, n, F, p: F * (2 * F + 1) + d // F * (2 * F + 1) + 2,
        "ghc(m = {F}, n = {n}, dynamic = false)": lambda d, n, F, p: n * (2 * F + n),
        "ghc(m = {F}, n = {n})": lambda d, n, F, p: 2 * n * (2 * F + n) + d // F * (2 * F + n),
        "mhc(n = {n})": lambda d, n, F, p: n * d * (n * n + 2 * n) + n * n + 2 * n + 3,
        "hyper_connections(n = {n}, fracs = {F}, views = {p})":
            lambda d, n, F, p: F * n * (p * F + F * n + 1) + d // F * (p * F + F * n + F) + 2,
        "mhc_v2(n = {n}, fracs = {F}, proposals = {p})":
            lambda d, n, F, p: (F * n * (F + F * n) + n * F + d // F * (p * (F + F * n) + F) + 3),
    }
    SOURCE = """
    branch one : x[d] -> y[d] { let y[c] = x[c]; }
    branch many : x[v, d] -> y[d] { let y[c] = sum[w] x[w,c]; }
    model counts {
      input x[%d] : real;
      let h = trunk(x) { a = %s : %s; };
      loss sum[c] h[c];
    }
    """

    def test_formulas(self):
        for d, n, F, p in ((12, 3, 2, 1), (24, 4, 3, 2), (256, 4, 4, 1)):
            for text, formula in self.FORMULAS.items():
                connection = text.format(n=n, F=F, p=p)
                branch = "many" if "views = 2" in connection else "one"
                file = self.write("counts.hc", self.SOURCE % (d, connection, branch))
                found = json.loads(self.expect(harness.hcc("info", file, "--json")).out)["groups"]
                name = connection.split("(")[0]
                count = sum(g["elements"] for g in found if g["group"] == name)
                with self.subTest(connection, d=d):
                    self.assertEqual(count, formula(d, n, F, p))


if __name__ == "__main__":
    harness.main(__name__)
