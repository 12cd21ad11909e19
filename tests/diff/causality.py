#!/usr/bin/env python3
"""I13, causality, for every connection of the library: no position sees a later one.

Twice: the compiler proves it for each kind of branch that looks back (`positions … causal`), and in
compiled code what comes later is changed, which must change no bit of what came before. A connection
that takes means over all positions must be refused. Needs the standard library of Python alone.
"""

import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from every_connection import library, networks
from library import Model, build, harness

POSITIONS, CHANGED, D = 6, 4, 40  # from position CHANGED on, the input is another one

class Causality(harness.TestCase):
    def cases(self, branches, n):
        """A network of each connection and branch, with n streams or as many as it can have."""
        found = {}
        for network in networks():
            if network["branch"] in branches:
                key = network["connection"], network["branch"]
                if key not in found or network["n"] == n:
                    found[key] = network
        self.assertEqual({connection for connection, _ in found}, set(library()))
        return list(found.values())

    def test_proved(self):
        """hcc accepts all of them where positions are said to be causal, and refuses what is not."""
        branches = ("mlp", "attention", "conv1d")
        cases = self.cases(branches, 4)
        for network in cases:
            with self.subTest(network["name"]):
                self.assertIn(" causal;", network["text"])
                file = self.write("causal.hc", network["text"])
                self.expect(harness.hcc("check", file))
        print(f"I13: {len(cases)} networks of {len(library())} connections are proved causal")
        residual = next(n for n in cases if n["connection"] == "residual")["text"]
        for what, text in (
                ("connection", residual.replace("residual :", "mv_split_residual(causal = false) :")),
                ("branch", residual.replace("mlp(40)", "attention(2, causal = false)"))):
            with self.subTest(what):
                result = self.expect(harness.hcc("check", self.write("seen.hc", text)), 1)
                self.assertIn("causal", result.err + result.out)

    def test_compiled(self):
        """A changed future leaves every bit of the past, and changes the future.

        Every third connection; HCC_TEST_EVERYTHING=1: all.
        """
        cases = harness.share(self.cases(("conv1d",), 4), 3)
        for network in cases:
            with self.subTest(network["name"]):
                text = network["text"].replace("  loss ", "  probe h;\n  loss ")
                number = len(os.listdir(self.folder))
                path = build(self.path(f"m{number}.so"), file=self.write(f"m{number}.hc", text),
                             f64=True)
                with Model(path, 1, POSITIONS) as model:
                    model.init(1)
                    for name, p in model.parameters.items():  # nothing is zero
                        draw = random.Random(name)
                        p.data[:] = [x + draw.gauss(0, 0.2) for x in p.data]
                    draw = random.Random(2)
                    given = [draw.gauss(0, 1) for _ in range(POSITIONS * D)]
                    model.set_input("up", [1.0] * POSITIONS * D)
                    found = []
                    for _ in range(2):
                        model.set_input("a", given)
                        model.forward()
                        found.append(list(model.output("h")[0]))
                        given[CHANGED * D :] = [draw.gauss(0, 1) for _ in given[CHANGED * D :]]
                width = len(found[0]) // POSITIONS
                past = slice(0, CHANGED * width)
                self.assertEqual(found[0][past], found[1][past])
                self.assertGreater(min(abs(x - y) for x, y in zip(found[0][CHANGED * width :],
                                                                  found[1][CHANGED * width :])), 0)
        print(f"I13: a changed future leaves the past as it was, {len(cases)} networks")


if __name__ == "__main__":
    harness.main(__name__)
