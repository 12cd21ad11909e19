#!/usr/bin/env python3
"""Which code multiplies matrices on this processor: that it is said, and that an environment which makes it
slower is told of once."""

import json
import os
import platform
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

LINE = """model line {
  input x[4] : real;
  target y : real;
  param W[4] = 1;
  loss ((sum[k] W[k] * x[k]) - y)^2;
}

train line {
  data table { x[k] = columns[k]; y = columns[4]; }
  batch 2; steps 2;
}
"""
SLOWER = {"OPENBLAS_CORETYPE": "Prescott"}
SAID = "note: OPENBLAS_CORETYPE=Prescott: OpenBLAS takes its kernels for Prescott"


@unittest.skipUnless(platform.machine() == "x86_64", "OpenBLAS has other kernels")
class Kernels(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.write("line.hc", LINE)
        self.data = self.write("rows.csv", "1,2,3,4,5\n2,3,4,5,6\n3,4,5,6,8\n")

    def train(self, out, *command, env=None):
        said = self.expect(harness.run([*command, "--data", self.data, "--out", self.path(out)],
                                       env=harness.environment(env))).err
        with open(os.path.join(self.path(out), "config.json"), encoding="utf-8") as file:
            return said, json.load(file)

    def test_training(self):
        command = [harness.hcc_path(), "train", self.model]
        said, config = self.train("own", *command, env={"OPENBLAS_CORETYPE": ""})
        self.assertNotIn("note:", said)
        self.assertIn(config["blas_core_by"], ("vectors", "openblas"))
        said, config = self.train("told", *command, env=SLOWER)
        self.assertEqual((config["blas_core"], config["blas_core_by"]), ("Prescott", "environment"))
        self.assertEqual(said.count(SAID), 1, said)
        self.assertEqual(self.train("quiet", *command, "--quiet", env=SLOWER)[0].count(SAID), 0)
        program = self.path("line")
        self.expect(hcc("build", self.model, "-o", program))
        self.assertEqual(self.train("built", program, "train", env=SLOWER)[0].count(SAID), 1)

    def test_benchmarks(self):
        command = [harness.hcc_path(), "bench", self.model, "--steps", "1", "--json"]
        for env, said in ((SLOWER, SAID), ({"OPENBLAS_L2_SIZE": "64"}, "note: OPENBLAS_L2_SIZE=64: OpenBLAS cuts")):
            result = self.expect(harness.run(command, env=harness.environment(env)))
            self.assertEqual(result.err.count(said), 1, result)
            json.loads(result.out)

    def test_version(self):
        for env, by in ((SLOWER, "OPENBLAS_CORETYPE"), ({"OPENBLAS_CORETYPE": ""}, "(the processor's vectors|itself)")):
            said = self.expect(harness.run([harness.hcc_path(), "--version", "--verbose"],
                                           env=harness.environment(env))).out
            self.assertRegex(said, rf"kernels for \w+ \(chosen by {by}\), threads: 1\n")


if __name__ == "__main__":
    harness.main(__name__)
