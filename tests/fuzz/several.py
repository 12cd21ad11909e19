"""Random programs whose model has two or three spaces of positions, with values taken between them.

A body is always in one of the spaces: statements make values that live there. Those of the other
spaces are kept beside it, and `SpacedBody` brings them over: by a subscript, a sum or a mean, attention,
a branch's second input, or as an axis of all positions.
"""

import random
from collections import namedtuple

from expressions import MOST, POSITION, SAMPLE, TIME, number
from program import Program
from statements import Body, elements

LENGTHS = [1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 32, 33]
LONG = 8  # beyond it values are narrow, so that the interpreter's time stays what it is elsewhere
NARROW = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33]
POOLED = "pooled"  # both spaces are causal: the second has some positions of the first, complete, in one

# kind: "line" or "grid"; names and most: by axis; shared: what may be taken from here without a look at causality
Space = namedtuple("Space", "kind names most causal")


class SpacedBody(Body):
    """`allow["others"]()`: (space, its values) of those from which values may be taken to this one;
    `allow["stride"]`: 0, or of two causal spaces how many positions of the first one of the second stands for."""

    KINDS = {**Body.KINDS, "taken": 6, "crossed": 1.2, "whole": 1, "counted": 1, "there_and_back": 0.7}

    def other(self, need=lambda v: True, rank=(0, 1, 2)):
        """A space and a value that lives at its positions, the later ones sooner."""
        found = [(space, v) for space, values in self.allow.get("others", list)() for v in values
                 if v.domain == POSITION and len(v.dims) in rank and elements(v.dims) <= 300 and need(v)]
        return self.draw.choices(found, range(1, len(found) + 1))[0] if found else (None, None)

    # --- subscripts -------------------------------------------------------------------------------

    def here(self):
        """What may stand for this position in a subscript of another space's value."""
        return self.allow.get("place") or self.allow.get("here_is")

    def along(self, at, most):
        """A position of a line of `most`, of the position `at` here: it may lie outside."""
        draw, f, a = self.draw, self.draw.choice([2, 2, 3, 4]), self.draw.choice([0, 0, 1, 2, 5])
        return draw.choice([at, at, f"{most - 1} - {at}", f"{at} + {a}", f"{at} - {a}", f"{f} * {at} + {a}",
                            f"floor({at} / {f})", f"floor(({at} + {a}) / {f})", f"floor(({at} + {a}) / {f}) - 1",
                            f"(3 * {at} + {a}) % {most}", f"{f} * {at} - {a}"])

    def places(self, space):
        """The subscripts of a value of that space, at the positions of this one."""
        draw, here = self.draw, self.here()
        if len(here) == len(space.most):
            names = draw.sample(here, len(here)) if draw.random() < 0.1 else here
            return [self.along(at, most) for at, most in zip(names, space.most)]
        if len(here) == 1:  # from a grid
            rows, width = here[0], space.most[1]
            return draw.choice([[f"floor({rows} / {width})", f"{rows} % {width}"], [self.along(rows, space.most[0]), "0"]])
        return [draw.choice([f"{draw.choice([2, space.most[0]])} * {here[0]} + {here[1]}", *here])]

    def pooled_place(self, space, k):
        """The same where both are causal: no position may see what is not yet complete."""
        at, stride = self.allow["place"][0], self.allow["stride"]
        if space.names == self.allow["place"]:
            return [f"{at} - {self.draw.choice([0, 1, 2])}"]
        if self.allow["coarse"]:
            return [f"{stride} * {at} + {k if k else self.draw.randrange(stride)}"]
        return [f"floor(({at} + 1) / {stride}) - 1"]

    def entry(self, space, x, indices, k=""):
        if self.allow.get("stride"):
            places = self.pooled_place(space, k)
        else:
            places = self.places(space)
            if k:
                axis = self.draw.randrange(len(places))
                places[axis] = f"{places[axis]} {self.draw.choice('+-')} {k}"
        return f"{x.name}[{', '.join([*places, *indices])}]"

    # --- statements -------------------------------------------------------------------------------

    def taken(self):
        draw, (space, x) = self.draw, self.other()
        if x is None or not self.here():
            return self.map()
        name, indices = self.fresh("v"), self.indices(x.dims)
        head = self.head(name, indices, ranges=False)
        form = draw.choices(["one", "some", "chosen", "first", "axes", "beside"], [4, 4, 1, 0.7, 1, 2])[0]
        chosen = self.value_of(1) if form == "chosen" and len(space.most) == 1 else None
        domain = POSITION
        if form == "some":
            count = self.allow.get("stride") or draw.choice([2, 3, 4])
            W = self.param((count, *x.dims), 0.5) if self.allow.get("params") and draw.random() < 0.6 else None
            weight = f"{W.name}[{', '.join(['e', *indices])}] * " if W else ""
            kind = draw.choice(["sum", "mean"])
            self.write(f"let {head} = {kind}[e < {count}] {weight}{self.entry(space, x, indices, 'e')};")
            return self.keep(name, x.dims, POSITION, min(8, x.size * count))
        if chosen and not self.allow.get("stride"):
            inside = ", ".join([f"argmax[e] {chosen.name}[e]", *indices])
            self.write(f"let {head} = {x.name}[{inside}];")
            domain = (True, chosen.domain[1])
        elif form == "first" and not self.allow.get("stride"):
            self.write(f"let {head} = {x.name}[{', '.join([*(['0'] * len(space.most)), *indices])}];")
            domain = SAMPLE
        elif form == "axes" and space.names != self.allow.get("place"):  # of this one it would be of an axis
            self.write(f"let {name} = {self.entry(space, x, [])};")
        elif form == "beside":
            beside = self.expressions.tame(self.expressions.expression(indices, 1), 2)
            text = draw.choice(["{a} + {b}", "{a} * {b}", "tanh({a}) * {b}", "{b} - {a} * 0.5"])
            self.write(f"let {self.head(name, indices)} = {text.format(a=self.entry(space, x, indices), b=beside.text)};")
        else:
            self.write(f"let {head} = {self.entry(space, x, indices)};")
        return self.keep(name, x.dims, domain, min(8, 2 * x.size))

    def crossed(self):
        """Queries of this space, keys and values of another."""
        draw, q = self.draw, self.value_of(1, lambda v: v.domain == POSITION)
        space, k = self.other(rank=(1,))
        if k is None or not q or not self.allow.get("params") or self.allow.get("stride"):
            return self.map()
        heads, e = draw.choice([1, 2, 4]), draw.choice([1, 2, 3, 8, 17])
        groups = draw.choice([1, heads])
        made = []
        for x, count in ((q, heads), (k, groups), (k, groups)):
            W = self.param((count, e, x.dims[0]), 1 / x.dims[0] ** 0.5)
            made.append(self.fresh("v"))
            self.write(f"let {made[-1]}[h,a] = tanh(sum[c] {W.name}[h,a,c] * {x.name}[c]);")
        queries, keys, values = made
        if e % 2 == 0 and draw.random() < 0.2 and space.kind == "line" and self.allow["across"] == "line":
            queries, keys = f"rope({queries})", f"rope({keys})"
        options = ["causal = false"]
        if draw.random() < 0.3:
            mask = self.fresh("m")
            self.write(f"let {mask} = {k.name}[{draw.randrange(k.dims[0])}] < {number(draw, 0, 1)};")
            options.append(f"mask = {mask}")
        if draw.random() < 0.3 and space.kind == "line" and self.allow["across"] == "line":
            far = self.param((heads, 2 * draw.choice([0, 1, 3, 20]) + 1), 0.5)
            self.values.remove(far)
            options.append(f"bias = {far.name}")
        name = self.fresh("v")
        self.write(f"let {name} = attend({queries}, {keys}, {values}, {', '.join(options)});")
        self.keep(name, (heads, e), POSITION, 1)

    def whole(self):
        """All positions of another space as axes."""
        space, x = self.other()
        if x is None or self.allow.get("stride") or elements(space.most + x.dims) > MOST // 2:
            return self.map()
        name = self.fresh("v")
        self.write(f"let {name} = all_positions({x.name});")
        if self.allow.get("place"):  # elsewhere their number is not known
            return self.keep(name, space.most + x.dims, SAMPLE, x.size)
        part, indices = self.fresh("v"), self.indices(x.dims)
        over = ["u", "w"][: len(space.most)]
        inside = f"{name}[{', '.join([*over, *indices])}]"
        self.write(f"let {self.head(part, indices, ranges=False)} = {self.draw.choice(['max', 'mean'])}"
                   f"[{', '.join(over)}] {inside};")
        return self.keep(part, x.dims, SAMPLE, x.size)

    def counted(self):
        """A mean or sum over all positions of another space."""
        space, x = self.other()
        if x is None or not self.allow.get("place") or self.allow.get("stride"):
            return self.map()
        name, indices = self.fresh("v"), self.indices(x.dims)
        kind, entry = self.draw.choice(["mean", "mean", "0.1 * sum"]), self.head(x.name, indices, ranges=False)
        self.write(f"let {self.head(name, indices, ranges=False)} = {kind}[{', '.join(space.names)}] {entry};")
        return self.keep(name, x.dims, SAMPLE, 2 * x.size)

    def there_and_back(self):
        """A loop that goes by way of another space in each turn."""
        draw, x = self.draw, self.value_of(1, lambda v: v.domain == POSITION)
        space = next((space for space, _ in self.allow.get("others", list)()
                      if space.names != self.allow.get("place") and space.kind == "line"), None)
        if not x or not space or not self.allow.get("place") or self.allow.get("causal") or self.allow["across"] != "line":
            return self.map()
        (here,), (there,), z, m = self.allow["place"], space.names, self.fresh("z"), self.fresh("v")
        f = draw.choice([1, 2, 3])
        self.write(f"let {z} = {x.name};")
        self.write(f"iterate {draw.choice([1, 2, 3])} {{")
        self.write(f"  let {m}[c] = tanh({z}[{f} * {there}, c]);")
        self.write(f"  {z}[c] = 0.5 * {z}[c] + {draw.choice(['0.5', 'sin({z}[c])'.format(z=z)])} * {m}[floor({here} / {f}), c];")
        self.write("}")
        self.keep(z, x.dims, POSITION, x.size + 1)


class Several(Program):
    make_body = SpacedBody

    def __init__(self, seed):
        super().__init__(seed)
        draw = self.draw
        kind = draw.choices(["free", "decoder", POOLED], [5, 2, 2])[0]
        count = 2 if kind == POOLED or draw.random() < 0.7 else 3
        self.stride = draw.choice([2, 3, 4]) if kind == POOLED else 0
        self.spaces = [self.one(k, kind, kind == POOLED or (kind == "decoder" and k == count - 1)) for k in range(count)]
        self.values = [[] for _ in self.spaces]  # that live in a space we are not in
        self.random = False  # it would not be told in which space a number is drawn
        if max(max(space.most) for space in self.spaces) > LONG:
            self.widths = [draw.choice(NARROW) for _ in self.widths]
        self.body_of_model = None
        self.at = 0
        self.settle(0)

    def one(self, k, kind, causal):
        draw, suffix = self.draw, ["", "b", "c"][k]
        if kind != POOLED and not causal and draw.random() < 0.25:
            return Space("grid", (f"r{suffix}", f"s{suffix}"), (draw.choice([1, 2, 3]), draw.choice([2, 3, 5])), False)
        return Space("line", (f"t{suffix}",), (draw.choice(LENGTHS),), causal)

    def settle(self, k):
        self.at, space = k, self.spaces[k]
        self.space, self.place, self.most, self.causal = space

    def across(self):
        return {**super().across(), "others": self.others, "stride": self.stride, "coarse": self.at == 1}

    def named(self, name):
        return name + ["", "b", "c"][self.at]

    def enter(self, body, k):
        """Statements of `body` live in space k from here on."""
        self.values[self.at] = [v for v in body.values if v.domain[1]]
        body.values[:] = [v for v in body.values if not v.domain[1]] + self.values[k]
        self.settle(k)
        body.allow.update(self.across(), place=self.place, here=False)  # which `here` is would not be told

    def others(self):
        """Where a value may be taken from. A causal space that is alone gives nothing."""
        found = []
        for k, space in enumerate(self.spaces):
            if k == self.at:
                if not space.causal:
                    found.append((space, [v for v in self.body_of_model.values if v.domain[1]]))
            elif self.stride or not space.causal:
                found.append((space, self.values[k]))
        return found

    # --- parts of a trunk ---------------------------------------------------------------------------

    def elsewhere(self, need=lambda v: True):
        """A vector of another space that a branch may be given, and its space."""
        found = [(space, v) for space, values in self.others() for v in values
                 if v.domain == POSITION and len(v.dims) == 1 and space.names != self.place and not self.stride
                 and need(v)]
        return self.draw.choice(found) if found else (None, None)

    def further(self, d, often):
        _, v = self.elsewhere(lambda v: v.dims == (d,))
        return [f"attention(1, causal = false, k = {v.name})"] if v else []

    def branch(self, d, often=False, given="", **allow):
        space, v = self.elsewhere()
        if v is None or self.draw.random() < 0.5:
            return super().branch(d, often, given, others=list)
        within = [(space, [v._replace(name="given")])]
        name = super().branch(d, often, f", given[{v.dims[0]}]", others=lambda: within,
                              here_is=("here",) if self.space == "line" and space.kind == "line" else ())
        return f"{name}(given = {v.name})"

    def connection(self, d):
        return self.alone(super().connection, d)

    def caller(self, d):
        return self.alone(super().caller, d)

    def alone(self, make, d):
        """A definition knows of its own positions alone."""
        others, self.others = self.others, list
        try:
            return make(d)
        finally:
            self.others = others

    # --- the model ----------------------------------------------------------------------------------

    def text(self):
        draw = self.draw
        for _ in range(draw.choices([0, 1, 2], [5, 3, 1])[0]):
            self.alone(lambda _: self.function(), 0)
        body = self.body(params=True, calls=self.calls, place=self.place, probes=True, **self.across())
        self.body_of_model = body
        for k in range(len(self.spaces)):
            self.settle(k)
            body.write(self.positions())
        self.at = 0
        for k in range(len(self.spaces)):
            self.enter(body, k)
            self.given(body)
        order = draw.sample(range(len(self.spaces)), len(self.spaces))
        if self.stride:
            order = draw.choice([[0, 1, 0], [1, 0], [0, 1]])
        elif draw.random() < 0.4:
            order.append(order[0])
        for k in order:
            self.enter(body, k)
            body.taken()
            self.statements(body, 1)
            if draw.random() < 0.35:
                self.trunk(body)
        self.buffers(body)
        for k in dict.fromkeys([order[-1], *draw.sample(order, draw.choice([0, 0, 1]))]):
            self.enter(body, k)
            self.loss(body)
        return "\n".join([*self.definitions, "model m {", *body.lines, "}", ""])
