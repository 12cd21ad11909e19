"""A random well-typed program: a `.hc` file with one model, always the same for a seed."""

import random

from expressions import GLOBAL, POSITION, SAMPLE, TIME, Value, join, width
from statements import Body

CONNECTIONS = [  # name with options, what the width must be a multiple of, largest width
    ("residual", 1, 300), ("residual(norm = layernorm)", 1, 300), ("shc(n = 2)", 1, 129), ("shc(n = 3)", 1, 65),
    ("dhc(n = 2)", 1, 65), ("mhc(n = 2, iters = 3)", 1, 65), ("mhc(n = 3, iters = 1)", 1, 48),
    ("mhc(n = 2, iters = 2, v4 = true)", 1, 33), ("frac(m = 2)", 2, 64), ("frac(m = 4)", 4, 64),
    ("postnorm", 1, 129), ("gru_residual", 1, 33), ("gated_residual", 1, 65), ("denseformer", 1, 129),
    ("attnres", 1, 65), ("dar", 1, 65), ("mudd", 1, 33), ("krom(n = 2)", 1, 65), ("mhc_lite(n = 2)", 1, 65),
    ("laurel(rank = 3)", 1, 129), ("parallel", 1, 65), ("ihc(n = 2)", 1, 48), ("spectral(n = 2)", 1, 33),
    ("go_mhc(n = 2)", 1, 33), ("tbp(n = 3)", 1, 33), ("orthogonal_residual", 1, 65), ("harmonised(n = 2)", 1, 33),
    ("hyper_connections(n = 2)", 1, 33), ("mhc_v2(n = 2, iters = 2)", 1, 33), ("mhc_deferred(n = 2, iters = 2)", 1, 33),
    ("ghc", 6, 48), ("jpmhc(n = 2)", 1, 33), ("xhc(n = 4, active = 2, fixed = 1, iters = 2)", 1, 33),
]


class Program:
    make_body = Body

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.apart = random.Random(f"{seed} apart")  # for what came later, so that other programs stay as they were
        self.names = {}
        self.definitions, self.calls = [], []
        draw = self.draw
        self.widths = [width(draw) for _ in range(draw.choice([1, 2, 2, 3]))]
        self.space = draw.choices(["", "line", "grid"], [2.5, 5, 2])[0]
        self.place = {"": (), "line": ("t",), "grid": ("r", "s")}[self.space]
        self.most = ()  # positions along each axis
        self.causal = self.space == "line" and draw.random() < 0.25
        self.random = (POSITION if self.space else SAMPLE) if draw.random() < 0.15 else False
        # Small programs find more in the same time: how many statements there are follows from this.
        self.length = draw.choices([1, 2, 3, 5], [3, 4, 3, 1])[0]

    def body(self, **allow):
        allow = {"widths": self.widths, "random": self.random, **allow}
        return self.make_body(self.draw, allow, self.names)

    def statements(self, body, least=0):
        for _ in range(self.draw.randint(least, least + self.length)):
            body.statement()

    # --- definitions ------------------------------------------------------------------------------

    def across(self):
        return {"across": self.space, "causal": self.causal, "here": bool(self.space)}

    def function(self):
        """A function of one or two tensors, or a module, which may hold parameters."""
        draw = self.draw
        kind = draw.choice(["fn", "module"])
        name = self.names_of("f" if kind == "fn" else "g")
        inputs = [(width(draw),) if draw.random() < 0.3 else (draw.choice(self.widths),)
                  for _ in range(draw.choice([1, 1, 2]))]
        if draw.random() < 0.2:
            inputs[-1] = (draw.choice([2, 3, 4]), draw.choice(self.widths))
        module = kind == "module"
        at = POSITION if module and self.space and draw.random() < 0.5 else None
        body = self.body(params=module, **(self.across() if at else {}))
        formals = []
        for dims in inputs:
            x = body.fresh("x")
            body.keep(x, dims, at or GLOBAL, 2)
            formals.append(f"{x}[{', '.join(map(str, dims))}]")
        self.statements(body)
        out = (draw.choice(self.widths),) if draw.random() < 0.6 else inputs[0]
        indices = body.indices(out)
        e = body.expressions.tame(body.expressions.expression(indices, 2), 2)
        result = body.fresh("y")
        body.write(f"let {body.head(result, indices)} = {e.text};")
        shape = f"{result}[{', '.join(map(str, out))}]"
        names = [formal.split("[")[0] for formal in formals]
        second = None
        if draw.random() < 0.25:
            value = body.value_of(need=lambda v: not v.name.startswith("x"))
            if value:
                other = body.fresh("y")
                body.write(f"let {other} = {value.name};")
                shape += f", {other}" + (f"[{', '.join(map(str, value.dims))}]" if value.dims else "")
                second = {"out": value.dims, "domain": value.domain, "depends": body.depends(other, names)}
        if module:
            head = f"module {name} : {', '.join(formals)} -> {shape} {{"
        else:
            head = f"fn {name}({', '.join(formals)}) -> {shape} {{"
        self.definitions += [head, *body.lines, "}"]
        self.calls.append({"kind": kind, "name": name, "inputs": inputs, "out": out, "domain": e.domain,
                           "size": 2, "at": at, "depends": body.depends(result, names), "second": second})

    def names_of(self, letter):
        self.names[letter] = self.names.get(letter, 0) + 1
        return f"{letter}{self.names[letter]}"

    def branch(self, d, often=False, given="", **allow):
        """A branch; `often`: that a loop may call, and so without random numbers and probes. It may be given more."""
        draw = self.draw
        name, at = self.names_of("b"), POSITION if self.space else SAMPLE
        allow = {"params": True, "calls": self.calls, "probes": True, **self.across(), **allow}
        if often:
            allow.update(calls=(), probes=False, random=False)
        body = self.body(**allow)
        body.keep("x", (d,), at, 2)
        if draw.random() < 0.2:
            body.write("let u[c] = x[c] * (1 + 0.1 * site);")
            body.keep("u", (d,), at, 2)
        self.statements(body, 1)
        i = draw.choice("ijkl")
        e = body.expressions.tame(body.expressions.expression({i: d}, 3), 2)
        # The connection takes it for a value of the place.
        body.write(f"let y[{i} < {d}] = {e.text}{'' if e.domain == at else f' + 0.1 * x[{i}]'};")
        self.definitions += [f"branch {name} : x[d]{given} -> y[d] {{", *body.lines, "}"]
        return name

    def connection(self, d):
        """A connection of the file: one stream or several, each part a random expression."""
        draw, name = self.draw, self.names_of("c")
        n = draw.choice([1, 1, 2, 3, 4]) if d <= 65 else draw.choice([1, 1, 2])
        body = self.body(params=True, probes=True, calls=[c for c in self.calls if c["kind"] == "fn"], **self.across())
        at = POSITION if self.space else SAMPLE
        streams = n > 1 or draw.random() < 0.2
        lines = [f"state H[{n}, d];" if streams else "state H[d];"]
        carry = draw.random() < 0.2
        if carry:
            lines.append("carry w = 0.5;")
        lines.append(draw.choice(["begin H[i < %d,c] = x[c];", "begin H[i < %d,c] = x[c] * (1 + 0.1 * i);"]) % n
                     if streams else "begin H = x;")
        dims = (n, d) if streams else (d,)
        h = body.keep("H", dims, at, 2)
        if carry:
            body.keep("w", (), GLOBAL, 1)  # at the first site it is
        self.statements(body)
        e = body.expressions.expression({"c": d}, 2) if draw.random() < 0.5 else None
        read = f"H[{draw.randrange(n)}]" if streams else "H"
        if e is not None:
            e = body.expressions.tame(e, 2)
            body.write(f"let u[c < {d}] = {read}[c] + {e.text};" if not streams else
                       f"let u[c < {d}] = (mean[i] H[i,c]) + {e.text};")
            read = "u"
        norm = draw.choice(["rmsnorm({})", "rmsnorm({})", "layernorm({})", "{}"] if d > 3 else ["{}"])
        body.write(f"read x = {norm.format(read)};")
        body.keep("y", (d,), at, 2)
        self.statements(body)
        indices = {"k": n, "c": d} if streams else {"c": d}
        entry, left = ("H[k,c]", f"H[k < {n},c < {d}]") if streams else ("H[c]", f"H[c < {d}]")
        e = body.expressions.tame(body.expressions.expression(indices, 3), 2)
        form = draw.choice(["{h} + y[c]", "{h} + tanh({e})", "0.5 * {h} + y[c] * sigmoid({e})", "({h} + {e}) / 2"])
        if streams:
            form = draw.choice([form, "(mean[j] cos(k + j) * H[j,c]) + y[c]"])
        write = f"write {left} = {form.format(h=entry, e=e.text)}"
        if carry:
            write += f", w = 0.5 * w + tanh({body.expressions.leaf({}).text})"
        body.write(write + ";")
        body.values[:] = [v for v in body.values if v is h]
        out = f"let o[c] = mean[i] H[i,c];" if streams else "let o[c] = H[c];"
        body.write(out)
        body.write(f"end x = {norm.format('o')};")
        self.definitions += [f"connection {name} {{", *("  " + line for line in lines), *body.lines, "}"]
        return name

    def caller(self, d):
        """A connection that calls its branch: once or several times, one behind the other or in turns."""
        self.turns = False
        draw, name = self.draw, self.names_of("c")
        body = self.body(params=True, **self.across())
        at = POSITION if self.space else SAMPLE
        norm = draw.choice(["rmsnorm({})", "{}"] if d > 3 else ["{}"])
        h = body.keep("h", (d,), at, 2)
        if draw.random() < 0.3:
            self.statements(body)
        if draw.random() < 0.25:
            self.turns = True
            body.write("let z = h;")
            body.write(f"iterate {draw.choice([1, 2, 3])} {{ z[c] = 0.5 * h[c] + 0.5 * branch({norm.format('z')})[c]; }}")
        else:
            body.write(f"let k = branch({norm.format('h')});")
            body.keep("k", (d,), at, 2)
            for _ in range(draw.choice([0, 1, 1, 2])):
                z, e = body.fresh("z"), body.expressions.tame(body.expressions.expression({"c": d}, 2), 2)
                body.write(f"let {z}_in[c] = h[c] + {e.text};")
                body.write(f"let {z} = branch({norm.format(z + '_in')});")
                body.keep(z, (d,), at, 2)
            e = body.expressions.tame(body.expressions.expression({"c": d}, 2), 2)
            body.write(f"let z[c < {d}] = h[c] + 0.5 * k[c] + {e.text};")
        self.definitions += [f"connection {name} {{", "  state h[d];", "  begin h = x;", *body.lines, "  write h = z;",
                             f"  end x = {norm.format('h')};", "}"]
        return name

    def around(self, wiring, calls, grows):
        """A connection around this one, perhaps twice: what it reads, is given or writes is changed, or nothing is."""
        draw = self.apart
        for _ in range(draw.choice([1, 1, 2])):
            name = self.names_of("o")
            lines = ["around inner;"]
            kinds = ["pass"] + ["each", "gate"] * (not grows) + ["give", "beside"] * (not calls)
            kind = draw.choice(kinds)
            if kind in ("each", "gate"):
                lines.append("param g = 0.5;")
                by = "g" if kind == "each" else "sigmoid(g * step)"
                lines.append(f"write each old, new = old + {by} * (new - old);")
            elif kind == "give":
                lines += ["param g[d] = 0.5;", "write y[c] = g[c] * y[c] + 0.1 * inner.x[c];"]
            elif kind == "beside":
                e = self.names_of("e")
                lines += [f"state {e}[d];", f"begin {e} = x;", "param a = 0.3;",
                          f"read x[c] = inner.x[c] + a * {e}[c];", f"write {e}[c] = 0.5 * {e}[c] + y[c];",
                          f"end x[c] = inner.end[c] + 0.1 * {e}[c];"]
            self.definitions += [f"connection {name}(inner = residual) {{", *("  " + line for line in lines), "}"]
            wiring = f"{name}(inner = {wiring})"
        return wiring

    # --- the model --------------------------------------------------------------------------------

    def further(self, d, often):
        """More branches for a trunk."""
        return []

    def trunk(self, body):
        draw = self.draw
        x = body.value_of(1, lambda v: v.domain == (POSITION if self.space else SAMPLE) and v.dims[0] <= 300)
        if not x:
            return
        d = x.dims[0]
        fitting = [c for c, multiple, most in CONNECTIONS if d % multiple == 0 and d <= most] or ["residual"]
        made = draw.choices([self.connection, self.caller, None], [4, 1.5, 5])[0]
        wiring = made(d) if made else draw.choice(fitting)
        often = made == self.caller and self.turns
        if self.space != "line" and wiring.startswith("xhc"):  # whose streams hold what was before
            wiring = "residual"
        if wiring.startswith("orthogonal") and d < 3:
            wiring = "residual"
        plain = wiring
        if made or wiring.split("(")[0] in ("residual", "shc", "mhc"):
            if self.apart.random() < 0.3:
                wiring = self.around(wiring, made == self.caller, False)
        branches = [f"linear({d})" if wiring == "ghc" else "own"]
        if self.space == "line" or self.space == "grid":
            heads = draw.choice([h for h in (1, 2, 3, 4) if d % h == 0])
            causal = "true" if self.causal else draw.choice(["true", "false"])
            branches.append(f"attention({heads}, causal = {causal})")
        if self.space == "grid" and d <= 17 and not self.causal:
            branches.append("conv(5)")
        if self.space == "line":
            branches.append("conv1d(k = 2)")
        branches += [f"mlp({draw.choice([3, 8, 33, 64])})", f"swiglu({draw.choice([5, 16, 65])})",
                     f"linear({d})", "linear(%d)" % d if often else "moe(7, experts = 3)"]
        branches += self.further(d, often)
        weights = [len(branches) * 1.5] + [1] * (len(branches) - 1)
        sites = []
        for k in range(draw.choices([1, 2, 3], [5, 3, 1])[0]):
            branch = draw.choices(branches, weights)[0]
            if branch == "own":  # defined when it is used, and used again by later sites
                branch = self.branch(d, often)
                branches = [b if b != "own" else branch for b in branches]
            if draw.random() < 0.1 and "append" not in wiring and plain.split("(")[0] in ("residual", "shc", "mhc"):
                branch += " & " + draw.choice([b for b in branches if b != "own"])
            sites.append(f"s{k} = {wiring} : {branch};")
        text = " ".join(sites)
        if draw.random() < 0.25:
            text = f"repeat {draw.choice([1, 2, 3])} {{ {text} }}"
        h = body.fresh("h")
        body.write(f"let {h} = trunk({x.name}) {{ {text} }};")
        body.keep(h, (d,), x.domain, 2)

    def inputs(self, body):
        """What the model is given. Several kinds, so that there is text, a table, a picture."""
        draw = self.draw
        lines, grids = [draw.choice([1, 2, 3, 5, 7])], [draw.choice([1, 2, 3]), draw.choice([2, 3])]
        self.most = tuple({"": [], "line": lines, "grid": grids}[self.space])
        if self.space:
            body.write(self.positions())
        self.given(body)

    def positions(self):
        axes = ", ".join(f"{name} <= {most}" for name, most in zip(self.place, self.most))
        return f"positions {f'({axes})' if len(self.most) > 1 else axes}{' causal' if self.causal else ''};"

    def named(self, name):
        """What the model has of this kind: once for a space."""
        return name

    def given(self, body):
        draw = self.draw
        place, u, style = ", ".join(self.place), self.named("u"), self.named("style")
        at = POSITION if self.space else SAMPLE
        kinds = draw.choice(["real", "real", "token", "both"])
        if kinds != "real":
            vocab, d = draw.choice([2, 5, 17, 33, 64, 65]), draw.choice(self.widths)
            tokens, E = self.named("tokens"), self.named("E")
            body.write(f"input {tokens}{f'[{place}]' if place else ''} : token({vocab});")
            body.write(f"param {E}[{vocab}, {d}] ~ normal(0.5);")
            x = body.fresh("x")
            more = ""
            if self.space == "line" and draw.random() < 0.5 and not self.named(""):
                body.write(f"const d = {d};")
                more = f" + position({place})"
            body.write(f"let {x} = embed({tokens}, {E}){more};")
            body.keep(x, (d,), at, 1)
        if kinds != "token":
            dims = (draw.choice(self.widths),) if draw.random() < 0.8 else (draw.choice([2, 3]), draw.choice(self.widths))
            inside = ", ".join(([place] if place else []) + list(map(str, dims)))
            body.write(f"input {u}[{inside}] : real;")
            body.keep(u, dims, at, 2)
        if self.space and draw.random() < 0.25:
            body.write(f"input {style}[{self.widths[0]}] : real;")
            body.keep(style, (self.widths[0],), SAMPLE, 2)
        if self.space and draw.random() < 0.15:
            d = draw.choice(self.widths)
            P = body.fresh("P")
            v = body.fresh("v")
            row = max(3, self.most[-1])
            size = max(7, *self.most) if self.space == "line" else max(3, self.most[0]) * row
            index = place if self.space == "line" else f"{row} * {self.place[0]} + {self.place[1]}"
            body.write(f"param {P}[{size}, {d}] ~ normal(0.5);")
            body.write(f"let {v}[i] = {P}[{index}, i];")
            body.keep(v, (d,), TIME, 1)

    def loss(self, body):
        draw = self.draw
        at = POSITION if self.space else SAMPLE
        place = f"[{', '.join(self.place)}]" if self.space else ""
        label, goal = self.named("label"), self.named("goal")
        used = body.values[-4:] + draw.sample(body.values, min(2, len(body.values)))
        terms, domains = [], []
        for v in dict.fromkeys(used):
            e = body.expressions.scalar(v)
            terms.append(e.text)
            domains.append(e.domain)
        weight = ""
        if draw.random() < 0.2:
            c = body.expressions.condition({})
            if c.domain == GLOBAL or c.domain == join(c.domain, *domains) == join(*domains):
                weight = f" weight select({c.text}, 1, 0.3)"
        kind = draw.choice(["mse", "cross", "plain", "plain"])
        x = body.value_of(1, lambda v: v.domain == at)
        if kind == "cross" and x:
            n = x.dims[0]
            body.write(f"target {label}{place} : token({n});")
            body.write(f"loss cross_entropy({x.name}, {label});")
            if draw.random() < 0.3:
                body.write(f"metric accuracy({x.name}, {label});")
        elif kind == "mse" and x:
            inside = ", ".join(([place[1:-1]] if place else []) + [str(x.dims[0])])
            body.write(f"target {goal}[{inside}] : real;")
            body.write(f"loss mse({x.name}, {goal});")
        body.write(f"loss {' + '.join(terms)}{weight};")

    def buffers(self, body):
        draw = self.draw
        v = body.value_of()
        if draw.random() > 0.08 or v is None or len(v.dims) > 1:
            return
        name = body.fresh("q")
        shape = f"[{v.dims[0]}]" if v.dims else ""
        index = "[i]" if v.dims else ""
        body.write(f"buffer {name}{shape} = 0.5;")
        body.write(f"update {name}{index} = 0.9 * {name}{index} + 0.1 * {v.name}{index};")
        body.keep(name, v.dims, GLOBAL, 2)

    def text(self):
        draw = self.draw
        for _ in range(draw.choices([0, 1, 2], [5, 3, 1])[0]):
            self.function()
        body = self.body(params=True, calls=self.calls, place=self.place, probes=True, **self.across())
        self.inputs(body)
        self.statements(body)
        self.buffers(body)
        if draw.random() < 0.45:
            self.trunk(body)
        if draw.random() < 0.08:
            self.trunk(body)
        self.statements(body, 1)
        self.loss(body)
        return "\n".join([*self.definitions, "model m {", *body.lines, "}", ""])
