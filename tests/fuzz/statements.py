"""Random statements: each adds values to those that later statements may read."""

import re

from expressions import GLOBAL, MOST, POSITION, SAMPLE, TIME, Expressions, Value, join, number, width


def elements(dims):
    count = 1
    for d in dims:
        count *= d
    return count


class Body:
    """The statements of a model, a branch, a connection or a function, as lines.

    `allow`: params (may be declared), across (reads of other positions: "", "line" or "grid"),
    place (names of the position, which may index, and over which there are means: a model's alone),
    calls (definitions that may be used)."""

    def __init__(self, draw, allow, names):
        self.draw, self.allow, self.names = draw, allow, names
        self.lines, self.values, self.indent = [], [], "  "
        self.expressions = Expressions(draw, self.values, allow)

    # --- small things -----------------------------------------------------------------------------

    def fresh(self, letter):
        self.names[letter] = self.names.get(letter, 0) + 1
        return f"{letter}{self.names[letter]}"

    def write(self, text):
        self.lines.append(self.indent + text)

    def keep(self, name, dims, domain, size):
        value = Value(name, tuple(dims), domain, size)
        self.values.append(value)
        return value

    def indices(self, dims):
        return dict(zip(self.draw.sample("ijkl", len(dims)), dims))

    def head(self, name, indices, ranges=True):
        if not indices:
            return name
        return f"{name}[{', '.join(f'{i} < {n}' if ranges else i for i, n in indices.items())}]"

    def wide(self, rank=1):
        """The extents of a new value: often those of one that is there."""
        draw = self.draw
        known = [v.dims for v in self.values if len(v.dims) == rank]
        if known and draw.random() < 0.7:
            return draw.choice(known)
        if rank == 1:
            return (draw.choice(self.allow["widths"]) if draw.random() < 0.7 else width(draw),)
        dims = [width(draw, 8) for _ in range(rank - 1)] + [draw.choice(self.allow["widths"])]
        if draw.random() < 0.3:
            draw.shuffle(dims)
        return tuple(dims) if elements(dims) <= MOST else tuple(min(d, 6) for d in dims)

    def value_of(self, rank=None, need=None):
        found = [v for v in self.values
                 if (rank is None or len(v.dims) == rank) and (not need or need(v))]
        if not found:
            return None
        return self.draw.choices(found, [1 + 3 * k for k in range(1, len(found) + 1)])[0]

    def param(self, dims, scale=None, letter="W"):
        """Declares a parameter and gives its value; where there may be none, a bounded stand-in."""
        draw, name = self.draw, self.fresh(letter)
        if not self.allow.get("params"):
            indices = self.indices(dims)
            e = self.expressions.expression(indices, 1)
            self.write(f"let {self.head(name, indices)} = {e.text};")
            return self.keep(name, dims, e.domain, e.size)
        shape = f"[{', '.join(map(str, dims))}]" if dims else ""
        std = scale or draw.choice([0.3, 0.5, 1])
        ways = [f"~ normal({std:.3g})"] * 5 + [f"~ uniform({-std:.3g}, {std:.3g})", f"= {number(draw)}"]
        if len(dims) == 2 and dims[0] == dims[1]:
            ways.append("= identity")
        if len(dims) == 1:
            ways.append(f"= onehot({draw.randrange(dims[0])})")
        marks = draw.choices(["", " nodecay", " freeze", " lr(0.1)"], [20, 1, 0.5, 0.5])[0]
        self.write(f"param {name}{shape} {draw.choice(ways)}{marks};")
        return self.keep(name, dims, GLOBAL, max(1, 2 * std))

    # --- statements -------------------------------------------------------------------------------

    def map(self):
        dims = self.wide(self.draw.choices([1, 2, 3], [8, 3, 0.5])[0])
        name, indices = self.fresh("v"), self.indices(dims)
        e = self.expressions.tame(self.expressions.expression(indices, self.draw.randint(1, 4)))
        self.write(f"let {self.head(name, indices)} = {e.text};")
        self.keep(name, dims, e.domain, e.size)

    def scalar(self):
        name = self.fresh("s")
        e = self.expressions.tame(self.expressions.reduction({}, 2))
        self.write(f"let {name} = {e.text};")
        self.keep(name, (), e.domain, e.size)

    def product(self):
        """A matrix product with a parameter: of a vector, or of each row of a matrix."""
        draw = self.draw
        x = self.value_of(need=lambda v: 1 <= len(v.dims) <= 2 and v.domain != GLOBAL) or self.value_of(1)
        if x is None:
            return self.map()
        out = self.wide(1)[0]
        n = x.dims[-1]
        if n * out > 40000:
            out = min(out, 64)
        W = self.param((out, n), 1 / n ** 0.5)
        name = self.fresh("v")
        size = max(1, min(4, x.size * W.size * n ** 0.5 if not self.allow.get("params") else x.size))
        act = draw.choices(["{}", "tanh({})", "gelu({})", "{} + 0.1"], [5, 2, 1, 1])[0]
        if not self.allow.get("params"):
            act, size = "tanh({})", 1
        if len(x.dims) == 1:
            text = act.format(f"(sum[j] {W.name}[i,j] * {x.name}[j])")
            self.write(f"let {name}[i] = {text};")
            self.keep(name, (out,), join(x.domain, W.domain), size)
        elif x.dims[0] * out <= MOST:
            text = act.format(f"(sum[j] {W.name}[i,j] * {x.name}[k,j])")
            self.write(f"let {name}[k,i] = {text};")
            self.keep(name, (x.dims[0], out), join(x.domain, W.domain), size)
        else:
            self.map()

    def square(self):
        """A product of two values over a shared axis, such as A A^T or an outer product."""
        draw = self.draw
        a, b = self.value_of(2), self.value_of(2)
        x, y = self.value_of(1), self.value_of(1)
        name = self.fresh("v")
        if a and b and a.dims[1] == b.dims[1] and a.dims[0] * b.dims[0] <= 1024 and draw.random() < 0.7:
            n = a.dims[1]
            self.write(f"let {name}[i,k] = tanh({1 / n ** 0.5:.3g} * sum[j] {a.name}[i,j] * {b.name}[k,j]);")
            self.keep(name, (a.dims[0], b.dims[0]), join(a.domain, b.domain), 1)
        elif x and y and x.dims[0] * y.dims[0] <= MOST:
            self.write(f"let {name}[i,k] = sin({x.name}[i] * {y.name}[k]);")
            self.keep(name, (x.dims[0], y.dims[0]), join(x.domain, y.domain), 1)
        else:
            self.map()

    def split(self):
        """An axis split in two, or two merged."""
        draw, name = self.draw, self.fresh("v")
        x = self.value_of(need=lambda v: len(v.dims) in (1, 2))
        if x and len(x.dims) == 1:
            n = x.dims[0]
            p = draw.choice([p for p in range(1, n + 1) if n % p == 0])
            q = n // p
            form = draw.choice([f"{x.name}[i * {q} + j]", f"{x.name}[j * {p} + i]"])
            self.write(f"let {name}[i < {p}, j < {q}] = {form};")
            self.keep(name, (p, q), x.domain, x.size)
        elif x:
            p, q = x.dims
            self.write(f"let {name}[i * {q} + j] = {x.name}[i,j] * 0.9;")
            self.keep(name, (p * q,), x.domain, x.size)
        else:
            self.map()

    def norm(self):
        x, name = self.value_of(1), self.fresh("v")
        if not x or x.dims[0] < 3:
            return self.map()
        f = self.draw.choice(["rmsnorm", "layernorm", "softmax", "rmsnorm", "row"])
        if f == "softmax":
            self.write(f"let {name}[i] = softmax[i] {x.name}[i];")
            return self.keep(name, x.dims, x.domain, 1)
        M = self.value_of(2)
        if f == "row" and M and M.dims[1] > 2:
            self.write(f"let {name}[i,j] = rmsnorm({M.name}[i], eps = 0.1)[j];")
            return self.keep(name, M.dims, M.domain, 2)
        f = "rmsnorm" if f == "row" else f
        eps = self.draw.choice(["", ", eps = 0.01", ", 0.1"])
        self.write(f"let {name} = {f}({x.name}{eps});")
        return self.keep(name, x.dims, x.domain, 2)

    def matrix_map(self):
        """Maps of small square matrices: sinkhorn and its kind, solve, cayley, softmax of rows."""
        draw, name = self.draw, self.fresh("v")
        M = self.value_of(2, lambda v: v.dims[0] == v.dims[1] and v.dims[0] <= 48)
        if M is None:
            n = draw.choice([1, 2, 3, 4, 5, 7, 8])
            L, x = self.fresh("v"), self.expressions.expression({"i": n, "j": n}, 2)
            x = self.expressions.tame(x)
            self.write(f"let {L}[i < {n}, j < {n}] = {x.text};")
            M = self.keep(L, (n, n), x.domain, x.size)
        n = M.dims[0]
        f = draw.choice(["sinkhorn", "sinkhorn", "sinkhorn_log", "sinkhorn_v4", "rows", "power", "solve",
                         "cayley", "top"])
        if f in ("solve", "cayley", "top") and n > 5:
            f = "sinkhorn"
        if f.startswith("sinkhorn"):
            turns = draw.choice([1, 2, 3, 5]) if f == "sinkhorn_v4" else draw.choice([0, 1, 2, 3, 7])
            turns = max(1, turns) if M.size > 5 else turns
            self.write(f"let {name} = {f}({M.name}, {turns});")
        elif f == "rows":
            self.write(f"let {name}[i,j] = softmax[j] {M.name}[i,j];")
        elif f == "power":
            self.write(f"let {name}[i,j] = tanh({1 / n:.3g} * sum[k] {M.name}[i,k] * {M.name}[k,j]);")
        elif f == "solve":
            A = self.fresh("v")
            self.write(f"let {A}[i,j] = identity[i,j] + 0.1 * tanh({M.name}[i,j]);")
            self.write(f"let {name} = solve({A}, {M.name}, pivot = {draw.choice(['true', 'false'])});")
        elif f == "cayley":
            A = self.fresh("v")
            self.write(f"let {A}[i,j] = 0.3 * ({M.name}[i,j] - {M.name}[j,i]);")
            self.write(f"let {name} = cayley({A});")
        else:
            x = self.fresh("v")
            self.write(f"let {x}[i] = {M.name}[i,0];")
            self.write(f"let {name} = top_k({x}, {n});")
        self.keep(name, M.dims, M.domain, max(1, min(M.size, 4)))

    # --- vectors in parts -------------------------------------------------------------------------

    def listed(self):
        """A tensor by its entries: of values of one shape, with a number or a single value among them."""
        draw, name = self.draw, self.fresh("v")
        x = self.value_of(need=lambda v: len(v.dims) <= 2 and elements(v.dims) <= 300)
        if not x:
            return self.map()
        alike = [v for v in self.values if v.dims == x.dims]
        count = draw.choice([1, 2, 2, 3])
        taken = [x] + [draw.choice(alike) for _ in range(count - 1)]
        entries = [draw.choice(["{}", "{}", "-{}", "tanh({})"]).format(v.name) if not v.dims else v.name for v in taken]
        if draw.random() < 0.2:
            entries[draw.randrange(1, count) if count > 1 else 0:] = [number(draw)] if count > 1 else entries
        if draw.random() < 0.25:  # entries with indices of their own
            indices = self.indices(x.dims)
            entry = self.head(x.name, indices, ranges=False)
            self.write(f"let {self.head(name, {'p': 2, **indices})} = [{entry}, 0.5 - {entry}][p];")
            return self.keep(name, (2, *x.dims), x.domain, x.size + 0.5)
        self.write(f"let {name} = [{', '.join(entries)}];")
        self.keep(name, (len(entries), *x.dims), join(*(v.domain for v in taken)), max(v.size for v in taken))

    def sliced(self):
        """A slice of an axis, or two put together, whole or in turn."""
        draw, name = self.draw, self.fresh("v")
        x = self.value_of(need=lambda v: 1 <= len(v.dims) <= 2)
        if not x:
            return self.map()
        n, rest = x.dims[0], x.dims[1:]
        begin = draw.randrange(n)
        end = draw.randint(begin + 1, n)
        low, high = (str(begin) if begin or draw.random() < 0.5 else ""), (str(end) if end < n or draw.random() < 0.5 else "")
        piece = f"{x.name}[{low} .. {high}]".replace("[ ", "[").replace(" ]", "]")
        alike = [v for v in self.values if v.dims and v.dims[1:] == rest]
        y = draw.choice(alike)
        if draw.random() < 0.5 and (end - begin + y.dims[0]) * elements(rest) <= MOST:
            both = [piece, y.name]
            draw.shuffle(both)
            self.write(f"let {name} = concat({both[0]}, {both[1]});")
            return self.keep(name, (end - begin + y.dims[0], *rest), join(x.domain, y.domain), max(x.size, y.size))
        self.write(f"let {name} = {piece};")
        self.keep(name, (end - begin, *rest), x.domain, x.size)

    def clamped(self):
        """Neighbours along an axis, whose ends stand for what lies beyond."""
        draw, name = self.draw, self.fresh("v")
        x = self.value_of(1)
        if not x:
            return self.map()
        n, k, taps = x.dims[0], draw.choice([1, 1, 2, 5]), self.fresh("w")
        if draw.random() < 0.4:
            self.write(f"let {taps} = [0.25, 0.5, 0.25];")
            self.write(f"let {name}[c < {n}] = sum[k] {taps}[k] * {x.name}[clamp(c + k - 1, 0, {n - 1})];")
        else:
            form = draw.choice([f"max(c - {k}, 0)", f"min(c + {k}, {n - 1})", f"floor(c / {k + 1})",
                                f"clamp(c - {k}, 0, {n - 1})"])
            self.write(f"let {name}[c < {n}] = 0.5 * {x.name}[c] + {x.name}[{form}];")
        self.keep(name, x.dims, x.domain, 1.5 * x.size)

    def table(self):
        """A table that is known beforehand; of whole numbers, so that it may index, too."""
        draw, name = self.draw, self.fresh("T")
        n = self.wide(1)[0]
        if draw.random() < 0.7:
            m = draw.choice([n, max(1, n // 2), width(draw)])
            form = draw.choice([f"(i * {draw.choice([3, 5, 7])} + {draw.randint(0, 5)}) % {m}",
                                f"min({m - 1}, i)", f"{m - 1} - i % {m}"])
            self.write(f"let {name}[i < {n}] = {form};")
            self.expressions.tables.append((name, n, m))
        else:
            form = draw.choice([f"1 / (1 + i)", "cos(i)", "select(i % 3 == 0, 1, -0.5)"])
            self.write(f"let {name}[i < {n}] = {form};")
            self.keep(name, (n,), GLOBAL, 1)
        if draw.random() < 0.1 and self.allow.get("params"):  # not in a function
            self.write(f"probe {name};")

    def condition(self):
        draw, name = self.draw, self.fresh("v")
        dims = self.wide(1)
        indices = self.indices(dims)
        a = self.expressions.tame(self.expressions.expression(indices, 2))
        b = self.expressions.tame(self.expressions.expression(indices, 1))
        test, holds = draw.choice([("1 < 2", True), (f"{dims[0]} % 2 == 0", dims[0] % 2 == 0), ("3 > 4", False)])
        self.write(f"if {test} {{")
        self.write(f"  let {self.head(name, indices)} = {a.text};")
        self.write("} else {")
        self.write(f"  let {self.head(name, indices)} = {b.text};")
        self.write("}")
        self.keep(name, dims, a.domain if holds else b.domain, max(a.size, b.size))

    def choice(self):
        """What is chosen by the run: the largest entry, a row of a table."""
        x, name = self.value_of(1), self.fresh("v")
        if not x:
            return self.map()
        n = x.dims[0]
        M = self.param((n, self.wide(1)[0])) if n <= 33 else None
        if M and self.draw.random() < 0.7:
            self.write(f"let {name}[c] = {M.name}[argmax[i] {x.name}[i], c];")
            self.keep(name, (M.dims[1],), join(x.domain, M.domain), M.size)
        else:
            self.write(f"let {name}[i] = select((argmax[j] {x.name}[j]) == i, {x.name}[i], 0.5);")
            self.keep(name, x.dims, x.domain, x.size)

    def dropped(self):
        x, name = self.value_of(1), self.fresh("v")
        if not x or not self.allow.get("random"):
            return self.map()
        self.write(f"let {name} = dropout({x.name}, {self.draw.choice(['0', '0.3', '0.5'])});")
        self.keep(name, x.dims, join(x.domain), 2 * x.size)

    # --- other positions ----------------------------------------------------------------------------

    def made(self, x):
        """A value made of `x` in a step or two: what a backward kernel would rather make again than load."""
        draw, name, indices = self.draw, self.fresh("v"), self.indices(x.dims)
        e = self.head(x.name, indices, ranges=False)
        gate = self.value_of(len(x.dims), lambda v: v.dims == x.dims and v.domain == POSITION) or x
        g = f"sigmoid({self.head(gate.name, indices, ranges=False)})"
        form, size = draw.choice([("(1 - {g}) * {e}", x.size), ("{g} * {e}", x.size), ("tanh({e})^2", 1),
                                  ("gelu({e}) * {g}", x.size), ("{e} + {g}", x.size + 1), ("0.5 * {e}", x.size)])
        self.write(f"let {self.head(name, indices, ranges=False)} = {form.format(e=e, g=g)};")
        return self.keep(name, x.dims, POSITION, size)

    def across(self):
        """A value of other positions; often of one just made, and used beside what it was made of."""
        draw = self.draw
        x = self.value_of(need=lambda v: v.domain == POSITION and elements(v.dims) <= 300)
        if not x or not self.allow.get("across"):
            return self.map()
        if draw.random() < 0.4:
            x = self.made(x)
        s = self.moved(x)
        if s.dims == x.dims and s.domain == POSITION and draw.random() < 0.5:
            name, indices = self.fresh("v"), self.indices(x.dims)
            a, b = (self.head(v.name, indices, ranges=False) for v in (x, s))
            form = draw.choice(["({a} * tanh({b}))", "({a} + {b}) * 0.5", "({b} * sigmoid({a}) + {a})"])
            self.write(f"let {self.head(name, indices, ranges=False)} = {form.format(a=a, b=b)};")
            self.keep(name, x.dims, POSITION, x.size + s.size)
        elif len(s.dims) > len(x.dims) and draw.random() < 0.5:
            name, indices = self.fresh("v"), self.indices(x.dims)
            rest = ["p", "q"][:len(s.dims) - len(x.dims)]
            a = self.head(x.name, indices, ranges=False)
            b = f"{s.name}[{', '.join(rest + list(indices))}]"
            self.write(f"let {self.head(name, indices, ranges=False)} = {a} * mean[{', '.join(rest)}] tanh({b});")
            self.keep(name, x.dims, POSITION, x.size)

    def moved(self, x):
        """`x` of other positions: shifted, a window of it, or under another index."""
        draw, name = self.draw, self.fresh("v")
        grid = self.allow["across"] == "grid"
        causal = self.allow.get("causal")
        k = draw.choice([0, 1, 1, 2] if causal else [-2, -1, 0, 1, 1, 1, 2])
        j = draw.choice([0, 1] if causal else [-1, 0, 1, 2])
        form = draw.choice(["shift", "shift", "window", "index" if self.allow.get("place") else "shift"])
        if form == "window" and elements(x.dims) <= 130:
            a, b = draw.choice([1, 2, 3]), draw.choice([1, 2, 3])
            if grid and causal:
                return x
            self.write(f"let {name} = window({x.name}, {f'{a}, {b}' if grid else a});")
            return self.keep(name, ((a, b) if grid else (a,)) + x.dims, POSITION, x.size)
        indices = self.indices(x.dims)
        if form == "index":
            place = [f"{at} - {far}" if far >= 0 else f"{at} + {-far}" for at, far in zip(self.allow["place"], (k, j))]
            e = f"{x.name}[{', '.join(place + list(indices))}]"
            self.write(f"let {self.head(name, indices)} = {draw.choice(['{}', '{}', 'tanh({})']).format(e)};")
        else:
            self.write(f"let {name} = shift({x.name}, {f'{k}, {j}' if grid else k});")
        return self.keep(name, x.dims, POSITION, x.size)

    def recurrence(self):
        """What is kept from position to position: as much of it as another value says, or a part."""
        draw, name = self.draw, self.fresh("v")
        x = self.value_of(1, lambda v: v.domain == POSITION and v.size <= 8)
        if not x or self.allow.get("across") != "line":
            return self.map()
        (c,) = self.indices(x.dims)
        kept = draw.choice([f"sigmoid({x.name}[{c}])", "0.5", f"tanh({x.name}[0])", "1"])
        words = "" if self.allow.get("causal") or draw.random() < 0.6 else ", reverse = true"
        self.write(f"let {name}[{c}] = recur({kept}, {x.name}[{c}]{words});")
        return self.keep(name, x.dims, POSITION, 4 * x.size)

    def attention(self):
        draw = self.draw
        x = self.value_of(1, lambda v: v.domain == POSITION)
        if not x or not self.allow.get("across"):
            return self.map()
        heads, e, groups = draw.choice([1, 2, 4]), draw.choice([1, 2, 3, 8, 16, 17, 33]), 1
        if heads > 1 and draw.random() < 0.3:
            groups = 2
        kv = heads // groups
        made = []
        for count in (heads, kv, kv):
            W, q = self.param((count, e, x.dims[0]), 1 / x.dims[0] ** 0.5), self.fresh("v")
            self.write(f"let {q}[h,a] = tanh(sum[c] {W.name}[h,a,c] * {x.name}[c]);")
            made.append(q)
        q, k, v = made
        if e % 2 == 0 and draw.random() < 0.2:
            q, k = f"rope({q})", f"rope({k})"
        options = [f"causal = {'true' if self.allow.get('causal') else draw.choice(['true', 'false'])}"]
        if draw.random() < 0.2:
            options.append(f"scale = {draw.choice([0.5, 1])}")
        if draw.random() < 0.3:
            mask = self.fresh("m")
            c = self.expressions.condition({})
            self.write(f"let {mask} = {c.text};")
            if c.domain == POSITION:
                options.append(f"mask = {mask}")
        name = self.fresh("v")
        self.write(f"let {name} = attend({q}, {k}, {v}, {', '.join(options)});")
        self.keep(name, (heads, e), POSITION, 1)

    def pooled(self):
        """A mean over positions, which in a causal model may not come back to one."""
        draw = self.draw
        x = self.value_of(need=lambda v: v.domain == POSITION)
        if not x or not self.allow.get("place") or self.allow.get("causal"):
            return self.map()
        name, indices = self.fresh("v"), self.indices(x.dims)
        over = ", ".join(self.allow["place"])
        kind = draw.choice(["mean", "mean", "sum"])
        inner = self.head(x.name, indices, ranges=False)
        scale = "0.2 * " if kind == "sum" else ""
        self.write(f"let {self.head(name, indices)} = {scale}{kind}[{over}] {inner};")
        self.keep(name, x.dims, SAMPLE, 2 * x.size)

    # --- loops ------------------------------------------------------------------------------------

    def matrix_of(self, v):
        """What a vector that is carried on may be multiplied with at each turn, or None."""
        if len(v.dims) != 1 or v.dims[0] > 130 or self.draw.random() >= 0.35:
            return None
        square = (v.dims[0], v.dims[0])
        return self.value_of(2, lambda m: m.dims == square) or self.param(square, 1 / v.dims[0] ** 0.5)

    def iterate(self, depth=1):
        """A loop over one to three carried values; its result may stay unread."""
        draw = self.draw
        start, first = len(self.values), len(self.lines)
        carried = []
        for _ in range(draw.choices([1, 2, 3], [6, 3, 1])[0]):
            dims = self.wide(draw.choices([0, 1, 2], [1, 8, 1.5])[0]) if draw.random() < 0.9 else ()
            name, indices = self.fresh("z"), self.indices(dims)
            e = self.expressions.tame(self.expressions.expression(indices, draw.randint(0, 2)), 2)
            self.write(f"let {self.head(name, indices)} = {e.text};")
            carried.append(self.keep(name, dims, e.domain, max(1, e.size)))
        matrix = self.matrix_of(carried[0])
        allow, within = self.allow, {**self.allow, "random": False, "params": False, "calls": ()}
        self.allow = self.expressions.allow = within
        kind = draw.choices(["iterate", "for"], [5, 1])[0]
        turns = draw.choice([0, 1, 1, 2, 3, 3, 4, 7]) if kind == "iterate" else draw.choice([1, 2, 3])
        self.write(f"iterate {turns} {{" if kind == "iterate" else f"for {'n' if depth else 'n0'} < {turns} {{")
        self.indent += "  "
        self.turn(carried, matrix, depth)
        self.indent = self.indent[:-2]
        self.write("}")
        self.allow = self.expressions.allow = allow
        domains = self.domains_after(first) if turns else {v.name: v.domain for v in carried}
        kept = [Value(v.name, v.dims, domains[v.name], 2) for v in carried]
        self.values[:] = [v for v in self.values[:start] if v not in carried]
        self.values += [v for v in [matrix] if v and v not in self.values]
        if draw.random() < 0.9:
            self.values += kept

    def scan(self):
        """One to three states from position to position, by the turn of a loop."""
        draw = self.draw
        x = self.value_of(need=lambda v: v.domain == POSITION)
        if not x or self.allow.get("across") != "line":
            return self.map()
        carried = []
        for _ in range(draw.choices([1, 2, 3], [6, 3, 1])[0]):
            dims = self.wide(draw.choices([0, 1, 2], [1, 8, 1.5])[0])
            name, indices = self.fresh("z"), self.indices(dims)
            learnt = self.param(dims, letter="B") if self.allow.get("params") and draw.random() < 0.3 else None
            self.write(f"let {self.head(name, indices)} = "
                       f"{self.head(learnt.name, indices, False) if learnt else number(draw)};")
            carried.append(Value(name, tuple(dims), POSITION, 2))
        v = carried[0]
        matrix = self.matrix_of(v)
        within = {**self.allow, "random": False, "params": False, "calls": (), "across": "", "place": ()}
        allow, before = self.allow, self.values[:]
        self.values += carried
        self.allow = self.expressions.allow = within
        self.write("scan reverse {" if not allow.get("causal") and draw.random() < 0.3 else "scan {")
        self.indent += "  "
        self.turn(carried, matrix, 1)
        old, seen = self.head(v.name, self.indices(v.dims), False), self.fresh("s")
        self.write(f"let {seen} = tanh({self.expressions.scalar(x).text});")
        self.write(f"{old} = 0.8 * {old} + 0.2 * {seen};")
        self.indent = self.indent[:-2]
        self.write("}")
        self.allow = self.expressions.allow = allow
        self.values[:] = before
        if draw.random() < 0.9:
            self.values += carried

    def assigned(self, first=0):
        """(name, names it is made of) of the lines from `first` on, once for each line, as often as
        there are lines: what loops carry arrives everywhere."""
        lines = [line.split(" = ", 1) for line in self.lines[first:] if " = " in line]
        for left, right in lines * len(lines):
            yield left.split("[")[0].split()[-1], re.findall(r"[A-Za-z_]\w*", right)

    def domains_after(self, first):
        """The domain of each name once a loop, whose lines begin at `first`, reads what it wrote."""
        domains = {v.name: v.domain for v in self.values}
        domains["here"] = TIME
        for name, words in self.assigned(first):
            domains[name] = join(domains.get(name, GLOBAL), *(domains.get(w, GLOBAL) for w in words))
        return domains

    def depends(self, result, sources):
        """Whether a name is made of any of the sources."""
        reached = set(sources)
        for name, words in self.assigned():
            if reached.intersection(words):
                reached.add(name)
        return result in reached

    def turn(self, carried, matrix, depth):
        draw = self.draw
        if draw.random() < 0.4:
            self.map()
        if depth and draw.random() < 0.08:
            self.iterate(0)
        for v in carried:
            indices = self.indices(v.dims)
            chance = draw.random()
            if v is carried[0] and matrix:
                extra = self.expressions.leaf({"i": v.dims[0]}).text if draw.random() < 0.5 else "0.1"
                form = draw.choice(["tanh({p} + {x})", "{p} * 0.5 + 0.1 * {x}", "{p} / (1 + abs({p}))"])
                product = f"(sum[j] {matrix.name}[i,j] * {v.name}[j])"
                self.write(f"{v.name}[i < {v.dims[0]}] = {form.format(p=product, x=extra)};")
            elif chance < 0.1 and len(v.dims) == 1:
                e = self.expressions.tame(self.expressions.expression({}, 2), 1.5)
                self.write(f"{v.name}[{draw.randrange(v.dims[0])}] = {e.text};")
            elif chance < 0.2 and v.dims:
                i = list(indices)
                entry = f"{v.name}[{', '.join(i)}]"
                self.write(f"{self.head(v.name, indices)} = {entry} / (0.5 + {draw.choice(['sum', 'mean', 'max'])}"
                           f"[{', '.join(['p', 'q'][:len(i)])}] "
                           f"abs({v.name}[{', '.join(['p', 'q'][:len(i)])}]));")
            elif chance < 0.25:
                self.write(f"{self.head(v.name, indices, False)} = {self.head(v.name, indices, False)};")
            else:
                e = self.expressions.tame(self.expressions.expression(indices, draw.randint(1, 3)), 1.5)
                old = self.head(v.name, indices, False)
                form = draw.choice(["tanh(0.7 * {o} + {e})", "(0.5 * {o} + 0.5 * {e})", "({o} + tanh({o} * {e})) / 2",
                                    "tanh({e})"])
                self.write(f"{self.head(v.name, indices)} = {form.format(o=old, e=e.text)};")

    # --- uses of definitions ----------------------------------------------------------------------

    def call(self):
        """A function or module of the file, whose inputs have the extents that it asks for."""
        draw = self.draw
        found = [d for d in self.allow.get("calls", ()) if d["kind"] == "fn" or self.allow.get("params")]
        if not found:
            return self.map()
        d = draw.choice(found)
        given, domains = [], []
        for dims in d["inputs"]:
            at = d.get("at")
            v = self.value_of(need=lambda v: v.dims == dims and at in (None, v.domain))
            if v is None and at:
                return self.map()
            if v is None:
                name, indices = self.fresh("v"), self.indices(dims)
                e = self.expressions.tame(self.expressions.expression(indices, 1))
                self.write(f"let {self.head(name, indices)} = {e.text};")
                v = self.keep(name, dims, e.domain, e.size)
            given.append(v.name)
            domains.append(v.domain if d["depends"] else GLOBAL)
        name = self.fresh("v")
        if d.get("second"):
            other = draw.choice([self.fresh("v"), "_"])
            self.write(f"let {name}, {other} = {d['name']}({', '.join(given)});")
            if other != "_":
                self.keep(other, d["second"]["out"],
                          join(d["second"]["domain"], *(domains if d["second"]["depends"] else [])), 2)
            return self.keep(name, d["out"], join(d["domain"], *domains), d["size"])
        if d["kind"] == "fn" and len(d["inputs"]) == 1 and len(d["inputs"][0]) == 1 and draw.random() < 0.25:
            M = self.value_of(2, lambda v: v.dims[1] == d["inputs"][0][0])
            if M and M.dims[0] * d["out"][0] <= MOST:  # each row by itself
                self.write(f"let {name}[i,j] = {d['name']}({M.name}[i])[j];")
                domain = join(M.domain, d["domain"]) if d["depends"] else d["domain"]
                return self.keep(name, (M.dims[0],) + d["out"], domain, d["size"])
        self.write(f"let {name} = {d['name']}({', '.join(given)});")
        return self.keep(name, d["out"], join(d["domain"], *domains), d["size"])

    KINDS = {"map": 10, "scalar": 2, "product": 4, "square": 1.5, "split": 1.5, "norm": 2, "matrix_map": 1.5,
             "table": 1.2, "listed": 1, "sliced": 1, "clamped": 0.6, "condition": 0.6, "choice": 0.5, "dropped": 0.25, "across": 3, "attention": 0.8,
             "recurrence": 0.8, "scan": 1.5, "pooled": 0.8, "iterate": 3.5, "call": 2}

    def statement(self):
        kinds = list(self.KINDS)
        getattr(self, self.draw.choices(kinds, list(self.KINDS.values()))[0])()
        if self.allow.get("probes") and self.draw.random() < 0.04:
            self.write(f"probe {self.values[-1].name};")
        if self.allow.get("params") and self.draw.random() < 0.03 and self.values:
            self.write(f"penalty 0.01 * {self.expressions.scalar(self.draw.choice(self.values)).text};")
