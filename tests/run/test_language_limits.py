#!/usr/bin/env python3
"""Every fixed limit of the language is said where it is passed, and holds what it says up to there.

What is short to write stands in tests/errors; here are programs that a loop writes. What would take
long to come to (values, steps, instances) is in tests/unit/test_sema_budget.c.
"""

import json
import os
import string
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

NINE = string.ascii_lowercase[:9]
RANGES = [f"{name} < 2" for name in NINE]
BITS = " + ".join(f"{2 ** k} * {name}" for k, name in enumerate(NINE))


def model(body, before="", after=""):
    return f"{before}model m {{\n{body}\n}}\n{after}"


def positions(count):
    lines = "\n".join(f"  positions t{k} <= 4;" for k in range(count))
    return model(f"{lines}\n  input x : real;\n  param a = 1;\n  loss (a * x)^2;")


def chain(count):
    """Functions that call each other, `count` of them at a time."""
    functions = "".join(f"fn f{k}(x) = f{k - 1}(x);\n" for k in range(1, count))
    return model(f"  input x : real;\n  loss f{count - 1}(x);", f"fn f0(x) = x^2;\n{functions}")


def deep(count):
    """Functions that call each other inside 200 brackets."""
    inside = "".join(f"fn f{k}(x) = {'-(' * 200}f{k - 1}(x){')' * 200};\n" for k in range(1, count))
    return model(f"  input x : real;\n  loss f{count - 1}(x);", f"fn f0(x) = x^2;\n{inside}")


def arguments(count):
    return model(f"  input x[4] : real;\n  loss mean[k] min({', '.join(['x[k]'] * count)});")


def sites(count):
    return model(f"  input x[4] : real;\n  let y = trunk(x) {{ repeat {count} {{ repeat 1000 {{ s = residual : id; }} }} }};\n"
                 "  loss mean[k] y[k];", "branch id : x[d] -> y[d] { let y[c] = x[c]; }\n")


def axes(names):
    return model(f"  param P[{', '.join('2' for _ in names)}] = 1;\n  loss sum[{', '.join(names[:8])}] P[{', '.join(names)}];")


def outer(names):
    product = " * ".join(f"p[{name}]" for name in names)
    return model(f"  param p[2] = 1;\n  let q[{', '.join(names)}] = {product};\n  loss sum[{', '.join(names)}] q[{', '.join(names)}];")


# What, the line, the code and words of the error, a program beyond the limit, one at it (or None).
CASES = (
    ("position spaces", 10, "E0312", "at most 8 position spaces", positions(9), positions(8)),
    ("definitions in each other", 3, "E0501", "at the end of 64 definitions", chain(65), chain(63)),
    ("depth of calls", 3, "E0501", "nest too deeply", deep(8), deep(5)),
    ("arguments of min", 3, "E0204", "takes 16 arguments, not 17", arguments(17), arguments(16)),
    ("sites", 4, "E0502", "more than 100000 sites", sites(101), None),
    ("repetitions", 4, "E0502", "must lie between 0 and 100000", sites(100001), None),
    ("axes of a parameter", 2, "E0221", "at most 8 axes", axes(NINE), axes(NINE[:8])),
    ("axes of a product", 3, "E0221", "at most 8 axes", outer(NINE), outer(NINE[:8])),
    ("indices of a sum", 3, "E0221", "at most 8 indices",
     model(f"  input x[512] : real;\n  loss sum[{', '.join(RANGES)}] x[{BITS}];"), None),
    ("indices of a softmax", 3, "E0221", "at most 8 indices",
     model("  input x[2, 2] : real;\n  let y[a, b] = softmax[a, a, a, a, a, a, a, a, b] x[a, b];\n"
           "  loss sum[a, b] y[a, b]^2;"), None),
    ("indices of a constant", 2, "E0221", "at most 8 indices",
     model(f"  const n = sum[{', '.join(RANGES)}] 1;\n  input x : real;\n  loss n * x;"), None),
    ("indices of a map", 3, "E0221", "more than 8 indices",
     model(f"  input x[512] : real;\n  loss sum[{', '.join(RANGES[:8])}] sum[i < 2] x[{BITS}];"), None),
    ("indices of a pattern", 3, "E0221", "more than 8 indices",
     model(f"  input x[2] : real;\n  loss sum[{', '.join(RANGES[:8])}] sum[i < 2] identity[a + b + c + d, e + f + g + h + i];"),
     None),
    ("indices merged on the left", 3, "E0221", "at most 8 indices",
     model(f"  input x[512] : real;\n  let u[{BITS}] = x[{BITS}];\n  loss mean[k] u[k];"), None),
    ("numbers of a constant", 2, "E0502", "too many to be reduced to a constant",
     model("  const n = sum[a < 1048577] a;\n  input x : real;\n  loss n * x;"), None),
    ("entries of a table", 2, "E0502", "a table of 16777217 entries is too large",
     model("  let T[i < 16777217] = 2 * i;\n  input x : real;\n  loss x * T[0];"), None),
    ("entries of a map", 3, "E0502", "index map of more than 16777216 entries",
     model("  param p[10000] = 1;\n  let q[i < 5000, j < 5000] = p[i + j];\n  loss mean[i, j] q[i, j];"), None),
    ("entries to choose from", 5, "E0502", "more than 134217728 entries to choose from",
     model("  input s : token(16384);\n  input t : token(16384);\n  param P[16384, 16384] = 1;\n  loss P[s, t];"), None),
    ("axes of data", 4, "E0221", "data have at most 8 axes",
     model("  input x : real; param a = 1; loss a * x;", after=f"train m {{ data idx {{ x = images[{', '.join('0' * 9)}]; }} "
           "batch 1; steps 1; }"), None),
    ("entries begun", 3, "E0502", "must lie between 0 and 1048576",
     model("  input x[4] : real;\n  let y = trunk(x) { s = grows : id; };\n  loss mean[k] y[k];",
           "connection grows {\n  state X[depth, d];\n  begin X[1048577, c] = x[c]; read x = X[0];"
           " append X[c] = y[c]; end x = X[0]; }\nbranch id : x[d] -> y[d] { let y[c] = x[c]; }\n"), None),
)


class Limits(harness.TestCase):
    def check(self, text):
        result = harness.hcc("check", "--json", self.write("m.hc", text))
        return result, [d for d in json.loads(result.out) if d["severity"] == "error"] if result.out.strip() else []

    def test_each_limit_is_said(self):
        for what, line, code, words, beyond, _ in CASES:
            with self.subTest(what):
                result, errors = self.check(beyond)
                self.expect(result, 1)
                said = [(d.get("line"), d["code"]) for d in errors if words in d["message"]]
                self.assertIn((line, code), said, result)

    def test_each_limit_can_be_reached(self):
        for what, _, _, _, _, within in CASES:
            with self.subTest(what):
                if within:
                    self.expect(self.check(within)[0])

    def test_a_product_has_as_many_factors_as_are_written(self):
        for last in ("*", "/"):
            text = model(f"  input x[4] : real;\n  input z[4] : real;\n  loss sum[i] {' * '.join(['x[i]'] * 64)} {last} z[i];")
            self.expect(self.check(text)[0])


harness.main(__name__)
