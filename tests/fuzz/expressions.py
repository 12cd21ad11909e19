"""Random expressions in index notation: what the statements of a random program are made of.

An expression stands at indices with known extents and is built so that it type-checks: every
subscript stays in its axis, and every size stays within a few units, so that losses are numbers and
f32 is near f64.
"""

import operator
import re
from collections import namedtuple

WIDTHS = {  # by how often: small ones, those around a limit of the schedule, large ones
    "small": [1, 2, 3, 4, 5, 6, 7, 8, 9],
    "limit": [15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65],
    "large": [95, 96, 97, 127, 128, 129, 200, 255, 256, 257, 300],
}
MOST = 4096  # elements of a value

GLOBAL, SAMPLE, TIME, POSITION = (False, False), (True, False), (False, True), (True, True)

# name: as it is written; dims: extents of its axes; domain: (by sample, by position); size: about the
# largest entry.
Value = namedtuple("Value", "name dims domain size")
# text, domain, size
Expr = namedtuple("Expr", "text domain size")


def join(*domains):
    return tuple(map(any, zip(*domains))) if domains else GLOBAL


def number(draw, low=-1.0, high=1.0):
    return f"{draw.uniform(low, high):.3g}".replace("e-0", "e-")


def width(draw, most=300):
    kind = draw.choices(["small", "limit", "large"], [3, 5, 2])[0]
    return draw.choice([w for w in WIDTHS[kind] if w <= most] or [min(most, 3)])


UNARY = [  # text, size of the result for an operand of size s
    ("tanh({})", lambda s: min(s, 1)), ("sigmoid({})", lambda s: 1), ("sin({})", lambda s: min(s, 1)),
    ("cos({})", lambda s: 1), ("erf({})", lambda s: min(s, 1)), ("abs({})", lambda s: s),
    ("gelu({})", lambda s: s), ("silu({})", lambda s: s), ("relu({})", lambda s: s),
    ("softplus({})", lambda s: s + 1), ("exp(-abs({}))", lambda s: 1), ("(-{})", lambda s: s),
    ("sqrt(1 + {}^2)", lambda s: 1 + s), ("rsqrt(1 + {}^2)", lambda s: 1),
    ("log(1 + abs({}))", lambda s: min(s, 3)), ("clamp({}, -0.7, 0.9)", lambda s: 1),
    ("({})^2", lambda s: s * s), ("stop_gradient({})", lambda s: s), ("exp(min({}, 1))", lambda s: 3),
    ("({}) ^ 3", lambda s: s ** 3), ("(1 - {})", lambda s: 1 + s), ("floor(2 * {})", lambda s: 2 * s + 1),
]
UNARY_WEIGHTS = [8, 5, 5, 2, 2, 2, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 3, 1, 1, 1, 2, 0.2]


ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(condition):
    """Whether two numbers compare as it says; None where it is about anything else."""
    found = re.fullmatch(r"(-?[\d.]+) ([<>]=?) (-?[\d.]+)", condition)
    return ORDER[found[2]](float(found[1]), float(found[3])) if found else None


class Expressions:
    """`values`: what may be named. `allow`: random, iterate and other traits of where we are."""

    def __init__(self, draw, values, allow):
        self.draw, self.values, self.allow = draw, values, allow
        self.tables = []  # (name, extent, largest entry + 1): constant tables that may index

    # --- subscripts -------------------------------------------------------------------------------

    def subscript(self, extent, indices):
        """Text that stays below `extent`; indices: name -> extent."""
        draw, ways = self.draw, []
        for i, n in indices.items():
            if n == extent:
                ways += [(i, 30)]
                if n > 1:
                    ways += [(f"({i} + {draw.randrange(1, n)}) % {n}", 1.0), (f"{n - 1} - {i}", 1.5)]
            elif n < extent:
                ways += [(f"{i} + {draw.randint(0, extent - n)}", 4), (i, 3)]
                if 2 * n <= extent:
                    ways += [(f"2 * {i}", 1), (f"2 * {i} + {draw.randint(0, extent - 2 * n + 1)}", 1)]
                for j, m in indices.items():
                    if j != i and n * m == extent:
                        ways += [(f"{i} * {m} + {j}", 12)]
                    elif j != i and n + m - 1 <= extent and n * m < 2000:
                        ways += [(f"{i} + {j}", 2)]
            else:
                ways += [(f"{i} % {extent}", 2)]
            for name, entries, bound in self.tables:
                if entries == n and bound <= extent:
                    ways += [(f"{name}[{i}]", 1.5)]
        ways += [(str(draw.randrange(extent)), 0.3 if any(n == extent for n in indices.values()) else 2)]
        return draw.choices([w for w, _ in ways], [k for _, k in ways])[0]

    def entry(self, value, indices):
        if not value.dims:
            return value.name
        left = dict(indices)
        subscripts = []
        for extent in value.dims:
            text = self.subscript(extent, left if left else indices)
            if text in left:
                del left[text]
            subscripts.append(text)
        return f"{value.name}[{', '.join(subscripts)}]"

    def fitting(self, value, indices):
        """How well a value's axes match the indices."""
        extents = sorted(indices.values())
        if not value.dims:
            return 0.6
        match = sum(d in extents for d in value.dims)
        return (0.2 + 3 * match) / (1 + abs(len(value.dims) - len(extents)))

    def pick(self, indices, need=None):
        """A value, the later ones sooner."""
        found = [v for v in self.values if not need or need(v)]
        if not found:
            return None
        weights = [self.fitting(v, indices) * (1 + 2 * (k + 1) / len(found)) for k, v in enumerate(found)]
        return self.draw.choices(found, weights)[0]

    # --- expressions ------------------------------------------------------------------------------

    def leaf(self, indices):
        draw = self.draw
        chance = draw.random()
        value = self.pick(indices)
        if value is None or chance < 0.06:
            return Expr(number(draw), GLOBAL, 1)
        if chance < 0.10 and indices:
            i, n = draw.choice(list(indices.items()))
            return Expr(draw.choice([f"({i} / {n})", f"(1 / (1 + {i}))", f"cos(0.3 * {i})"]), GLOBAL, 1)
        if chance < 0.12 and self.allow.get("here"):
            return Expr("(here / 9)", TIME, 1)
        return Expr(self.entry(value, indices), value.domain, value.size)

    def tame(self, e, most=4):
        if e.size <= most:
            return e
        return self.draw.choice([Expr(f"tanh({e.text})", e.domain, 1),
                                 Expr(f"({number(self.draw, 0.2, 1)} * sin({e.text}))", e.domain, 1),
                                 Expr(f"(({e.text}) / {e.size:.3g})", e.domain, 1)])

    def condition(self, indices):
        draw = self.draw
        if indices and draw.random() < 0.5:
            i, n = draw.choice(list(indices.items()))
            j = draw.choice(list(indices))
            text = draw.choice([f"{i} < {draw.randint(0, n)}", f"{i} % 2 == {draw.randint(0, 1)}",
                                f"{i} <= {j}", f"{i} == {j}"])
            return Expr(text, GLOBAL, 1)
        e = self.leaf(indices)
        text = f"{e.text} {draw.choice(['<', '>', '<=', '>='])} {number(draw)}"
        if draw.random() < 0.2:
            other = self.leaf(indices)
            text = f"{text} {draw.choice(['&&', '||'])} !({other.text} > {number(draw)})"
            return Expr(text, join(e.domain, other.domain), 1)
        return Expr(text, e.domain, 1)

    def free_index(self, indices, taken=()):
        return next(i for i in "ijklmpq" if i not in indices and i not in taken)

    def reduction(self, indices, depth):
        draw = self.draw
        value = self.pick(indices, lambda v: v.dims)
        if value is None:
            return self.leaf(indices)
        n = draw.choice(value.dims)
        k = self.free_index(indices)
        inner = {**indices, k: n}
        others = [self.entry(value, inner)]
        if not re.search(rf"\b{k}\b", others[0]):
            return self.leaf(indices)
        domain, size = value.domain, value.size
        if draw.random() < 0.6:
            e = self.expression(inner, min(depth - 1, 1))
            if draw.random() < 0.8 or "[" in e.text:
                others.append(f"({e.text})")
                domain, size = join(domain, e.domain), size * e.size
        kind = draw.choices(["sum", "mean", "max", "min", "logsumexp", "prod"], [8, 4, 2, 1.5, 1.5, 0.3])[0]
        term = " * ".join(others)
        if kind == "sum":
            scale = 1 / max(1, n ** 0.5)
            return Expr(f"({scale:.3g} * sum[{k} < {n}] {term})", domain, min(4, size * n ** 0.5) + 0.1)
        if kind == "prod":
            return Expr(f"(prod[{k} < {n}] (1 + {0.5 / (n * max(1, size)):.2g} * {term}))", domain, 2)
        return Expr(f"({kind}[{k} < {n}] {term})", domain, size + (4 if kind == "logsumexp" else 0))

    def expression(self, indices, depth):
        draw = self.draw
        if depth <= 0:
            return self.leaf(indices)
        kind = draw.choices(["leaf", "unary", "binary", "select", "reduce", "minmax", "random"],
                            [1, 4, 6, 1, 1.5 if self.allow.get("reduce", True) else 0, 0.7,
                             0.15 if self.allow.get("random") else 0])[0]
        if kind == "unary":
            text, size = draw.choices(UNARY, UNARY_WEIGHTS)[0]
            e = self.expression(indices, depth - 1)
            return self.tame(Expr(text.format(e.text), e.domain, size(e.size)))
        if kind == "binary":
            a, b = self.expression(indices, depth - 1), self.expression(indices, depth - 1 - draw.randint(0, 1))
            domain = join(a.domain, b.domain)
            op = draw.choices(["+", "-", "*", "/"], [4, 2, 6, 0.7])[0]
            if op == "/":
                return self.tame(Expr(f"({a.text} / (1.5 + abs({b.text})))", domain, a.size))
            size = a.size * b.size if op == "*" else a.size + b.size
            return self.tame(Expr(f"({a.text} {op} {b.text})", domain, size))
        if kind == "select":
            c, a = self.condition(indices), self.expression(indices, depth - 1)
            b = self.expression(indices, 0)
            known = holds(c.text)  # then one is chosen beforehand
            domain = join(c.domain, a.domain, b.domain) if known is None else (a if known else b).domain
            return Expr(f"select({c.text}, {a.text}, {b.text})", domain, max(a.size, b.size))
        if kind == "reduce":
            return self.tame(self.reduction(indices, depth))
        if kind == "minmax":
            a, b = self.expression(indices, depth - 1), self.leaf(indices)
            return Expr(f"{draw.choice(['min', 'max'])}({a.text}, {b.text})", join(a.domain, b.domain),
                        max(a.size, b.size))
        if kind == "random":
            domain = self.allow["random"]
            return Expr(draw.choice(["random()", "select(random() < 0.4, 0, 1.5)"]), domain, 1.5)
        return self.leaf(indices)

    def scalar(self, value):
        """The value as one number at each place: mean of squares, a sum or a norm."""
        names = "ijklm"[: len(value.dims)]
        if not names:
            return Expr(f"({value.name})^2", value.domain, value.size ** 2)
        entry = f"{value.name}[{', '.join(names)}]"
        form = self.draw.choice(["(mean[{i}] {e}^2)", "(mean[{i}] {e} * cos({k}))",
                                 "(mean[{i}] abs({e} - 0.3))", "(mean[{i}] sin({e}))"])
        return Expr(form.format(i=", ".join(names), e=entry, k=names[-1]), value.domain,
                    max(1, value.size ** 2))
