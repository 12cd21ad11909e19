#!/usr/bin/env python3
"""Loops at random, and those that hardly are any: no turn, one turn, values that do not change, results
that nobody reads, loops in loops.

Each program is written twice, as .hc and as Python. Losses agree, derivatives agree with differences,
by the compiled program and by the interpreter.

    python3 -B tests/diff/loops.py --hcc build/hcc                      a program
    HCC_TEST_PROGRAMS=100 HCC_TEST_SEED=7 python3 -B tests/diff/loops.py --hcc build/hcc
"""

import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

WIDTHS = [1, 2, 3, 8, 31, 32, 33, 48, 63, 64, 65, 129]
FUNCTIONS = 5
MODEL = """%(functions)s
model loops {
  positions t <= 2;
  input x[t, %(n)d] : real;
  input up[t, %(n)d] : real;
%(body)s
  loss sum[k] up[k] * (%(sum)s);
}
"""


def expression(draw):
    """Text of an entry k, and what it is of the vectors `u`, `v`, `w`."""
    a, b = draw.choice("uvw"), draw.choice("uvw")
    c = draw.choice((0.5, -0.75, 1.25))
    kind = draw.randrange(8)
    if kind == 0:
        return f"{a}[k]", lambda s: list(s[a])
    if kind == 1:
        return f"{c} * {a}[k]", lambda s: [c * x for x in s[a]]
    if kind == 2:
        return f"tanh({a}[k] + {c} * {b}[k])", lambda s: [math.tanh(x + c * y) for x, y in zip(s[a], s[b])]
    if kind == 3:
        return f"{a}[k] * {b}[k]", lambda s: [x * y for x, y in zip(s[a], s[b])]
    if kind == 4:
        return f"tanh((mean[j] {a}[j]) * {b}[k])", lambda s: [
            math.tanh(sum(s[a]) / len(s[a]) * y) for y in s[b]]
    if kind == 5:
        return f"{c}", lambda s: [c] * len(s["w"])
    if kind == 6:
        return f"sin({a}[k]) + {c} * {b}[k]", lambda s: [math.sin(x) + c * y for x, y in zip(s[a], s[b])]
    return f"{a}[k] / (1 + {b}[k] ^ 2)", lambda s: [x / (1 + y * y) for x, y in zip(s[a], s[b])]


def statements(draw, depth=0):
    """Lines of a body, and what it does to the vectors."""
    lines, steps = [], []
    for _ in range(draw.randint(1, 3)):
        if depth < 3 and draw.randrange(3) == 0:
            turns = draw.choice((0, 0, 1, 1, 2, 3))
            inner, run = statements(draw, depth + 1)
            head = f"iterate {turns}" if draw.randrange(3) else f"for part{depth} < {turns}"
            lines += [f"{head} {{", *("  " + line for line in inner), "}"]
            steps.append(lambda s, turns=turns, run=run: [run(s) for _ in range(turns)])
        else:
            name = draw.choice("uv")
            text, value = expression(draw)
            lines.append(f"{name}[k] = {text};")
            steps.append(lambda s, name=name, value=value: s.update({name: value(s)}))
    return lines, lambda s: [step(s) for step in steps]


def function(draw, number):
    """Text of a function of x and its parameter w, and the function."""
    start = draw.choice((("1", lambda s: [1.0] * len(s["w"])), ("0.5 * x[k]", lambda s: [x / 2 for x in s["x"]]),
                         ("w[k]", lambda s: list(s["w"]))))
    turns = draw.choice((0, 0, 1, 1, 2, 5))
    inner, run = statements(draw)
    text, result = draw.choice((("u[k]", lambda s: s["u"]), ("v[k]", lambda s: s["v"]),
                                ("w[k] * x[k]", lambda s: [w * x for w, x in zip(s["w"], s["x"])]),
                                ("u[k] * v[k] + w[k]", lambda s: [
                                    u * v + w for u, v, w in zip(s["u"], s["v"], s["w"])])))
    lines = "\n".join("    " + line for line in inner)
    body = (f"fn f{number}(x[n], w[n]) -> y[n] {{\n  let u[k < n] = {start[0]}, v[k] = x[k];\n"
            f"  iterate {turns} {{\n{lines}\n  }}\n  let y[k] = {text};\n}}\n")

    def apply(x, w):
        s = {"x": x, "w": w, "v": list(x)}
        s["u"] = start[1](s)
        for _ in range(turns):
            run(s)
        return result(s)

    return body, apply


PLACES = """model m {
  positions t <= 5;
  input u[t, WIDTH] : real;
  param W[WIDTH, WIDTH] ~ normal(0.3);
  let a[j < WIDTH] = -0.3;
  let b[j < WIDTH] = u[j];
  iterate 3 {
    a[i] = tanh(sum[j] W[i,j] * a[j]);
    b[i] = tanh(W[2, i] * a[i]);
  }
  loss (mean[i] b[i]^2) + mean[i] a[i];
}
"""


class Loops(harness.TestCase):
    def test_values_that_live_at_different_places(self):
        """`a` is the same everywhere, `b` begins at each position."""
        for width in (3, 31, 33):
            for level in ("-O0", "-O3"):
                with self.subTest(width=width, level=level):
                    model = self.write("m.hc", PLACES.replace("WIDTH", str(width)))
                    result = harness.hcc("gradcheck", model, level)
                    self.assertEqual(result.code, 0, repr(result)[-2000:])

    def program(self, seed):
        draw = random.Random(seed)
        n = draw.choice(WIDTHS)
        made = [function(draw, number) for number in range(FUNCTIONS)]
        text = MODEL % {
            "functions": "".join(body for body, _ in made), "n": n,
            "body": "".join(f"  param w{k}[{n}] ~ normal(0.5);\n  let y{k} = f{k}(x, w{k});\n"
                            for k in range(FUNCTIONS)),
            "sum": " + ".join(f"y{k}[k]" for k in range(FUNCTIONS))}
        file = self.write(f"m{seed}.hc", text)
        model = Model(build(file[:-3] + ".so", file=file, f64=True), 2, 2)
        self.addCleanup(model.close)
        model.init(3)
        x, up = ([draw.gauss(0, 1) for _ in range(4 * n)] for _ in range(2))
        model.set_input("x", x)
        model.set_input("up", up)
        want = 0
        for at in range(4):
            here = slice(at * n, (at + 1) * n)
            for k, (_, apply) in enumerate(made):
                y = apply(x[here], list(model.parameters[f"w{k}"].data))
                want += sum(a * b for a, b in zip(up[here], y)) / 4
        self.assertLess(abs(model.forward() - want), 1e-12 * (1 + abs(want)), text)
        checked = [json.loads(self.expect(harness.hcc("gradcheck", file, "--json", *options)).out)
                   for options in ([], ["--interpret"])]
        for one, other in zip(*(report["parameters"] for report in checked)):
            self.assertAlmostEqual(one["analytic"], other["analytic"],
                                   delta=1e-12 + 1e-10 * other["analytic"], msg=text)

    def test_programs(self):
        first = int(os.environ.get("HCC_TEST_SEED", "1"))
        for seed in range(first, first + int(os.environ.get("HCC_TEST_PROGRAMS", "1"))):
            with self.subTest(seed):
                self.program(seed)


harness.main(__name__)
