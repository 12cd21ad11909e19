#!/usr/bin/env python3
"""hcc gradcheck for every connection of the library, and compiled code against the interpreter."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

SHAKESPEARE = "examples/shakespeare.hc"
CONNECTIONS = ["residual", "postnorm", "shc", "dhc", "frac", "mhc"]
# Two sizes: features in vector lanes, and too few of them for that.
WIDE = ["heads=2", "blocks=2", "n=4", "context=8"]
NARROW = ["d=16", "heads=2", "blocks=1", "n=4", "context=8"]


class Gradcheck(harness.TestCase):
    def check(self, wiring, size, *arguments):
        settings = [word for setting in size for word in ("--set", setting)]
        result = hcc("gradcheck", SHAKESPEARE, "--json", "--set", f"wiring={wiring}", *settings,
                     *arguments)
        self.expect(result)
        return json.loads(result.out)

    def test_every_connection(self):
        for wiring in CONNECTIONS:
            with self.subTest(wiring):
                report = self.check(wiring, WIDE)
                self.assertTrue(report["ok"])
                self.assertGreater(len(report["parameters"]), 10)
                vanishing = [p["name"] for p in report["parameters"] if p["vanishes"]]
                self.assertLess(len(vanishing), len(report["parameters"]) / 4, vanishing)
                for parameter in report["parameters"]:
                    self.assertTrue(parameter["vanishes"] or parameter["within_rounding"]
                                    or parameter["relative_error"] < 1e-6, parameter)

    def test_compiled_code_and_interpreter_agree(self):
        """The same parameters, data and directions: loss and derivatives to rounding."""
        for wiring in CONNECTIONS:
            reference = self.check(wiring, NARROW, "--interpret")
            for arguments in [[], ["-O0"]]:
                with self.subTest((wiring, arguments)):
                    found = self.check(wiring, NARROW, *arguments)
                    self.assertAlmostEqual(found["loss"], reference["loss"], delta=1e-12)
                    for a, b in zip(found["parameters"], reference["parameters"]):
                        self.assertEqual(a["name"], b["name"])
                        self.assertAlmostEqual(a["analytic"], b["analytic"],
                                               delta=1e-12 + 1e-10 * b["analytic"])

    def test_text(self):
        result = self.expect(hcc("gradcheck", SHAKESPEARE, "--set", "wiring=residual", "--set", "blocks=1"))
        self.assertIn("0 wrong", result.out)


if __name__ == "__main__":
    harness.main(__name__)
