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

# Products of 48 features are OpenBLAS's, those of 64 the model's own where the processor has what it takes.
LAYER = """model layer {
  const d = 48;
  positions t <= 64;
  input x[t, 3] : real;
  target y[t] : real;
  param E[d, 3] ~ normal(1);
  param W[d, d] ~ normal(0.1);
  let e[c] = tanh(sum[k] E[c,k] * x[k]);
  let h[c] = sum[k] W[c,k] * e[k];
  loss sum[c] (h[c] - y)^2;
}

train layer {
  data table { x[t, k] = columns[3 * t + k]; y[t] = columns[192 + t]; }
  batch 2; steps 2;
}
"""
with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as found:
    VECTORS = " avx2 " in found.read()
SLOWER = {"OPENBLAS_CORETYPE": "Prescott"}
SAID = "note: OPENBLAS_CORETYPE=Prescott: for the products that it makes OpenBLAS takes its kernels for Prescott"


@unittest.skipUnless(platform.machine() == "x86_64", "OpenBLAS has other kernels")
class Kernels(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.write("layer.hc", LAYER)
        self.data = self.write("rows.csv", "".join(",".join(str((i * j) % 7 / 7) for j in range(256)) + "\n" for i in range(1, 4)))

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
        self.assertEqual(config["products"]["own"], 0)
        self.assertGreater(config["products"]["openblas"], 0)
        resumed = self.expect(harness.run([harness.hcc_path(), "train", "--resume", self.path("told"), "--steps", "3"],
                                          env=harness.environment({"OPENBLAS_CORETYPE": "Sandybridge"}))).err
        self.assertEqual("made with OpenBLAS's kernels for Prescott, this is Sandybridge" in resumed, VECTORS)
        own = self.train("products", *command, *(["--set", "d=64"] if VECTORS else ["--set", "d=3"]))[1]
        self.assertEqual(own["products"]["openblas"], 0)
        self.assertNotIn("blas_core", own)
        self.assertEqual(self.train("quiet", *command, "--quiet", env=SLOWER)[0].count(SAID), 0)
        program = self.path("layer")
        self.expect(hcc("build", self.model, "-o", program))
        self.assertEqual(self.train("built", program, "train", env=SLOWER)[0].count(SAID), 1)

    def test_benchmarks(self):
        command = [harness.hcc_path(), "bench", self.model, "--steps", "1", "--json"]
        for env, said in ((SLOWER, SAID), ({"OPENBLAS_L2_SIZE": "64"}, "note: OPENBLAS_L2_SIZE=64: OpenBLAS cuts")):
            result = self.expect(harness.run(command, env=harness.environment(env)))
            self.assertEqual(result.err.count(said), 1, result)
            json.loads(result.out)

    def test_who_makes_products(self):
        command = [harness.hcc_path(), "bench", self.model, "--set", "d=64", "--steps", "1", "--json", "--cpu"]
        for cpu, precision, way in (("baseline", "f32", None), ("x86-64-v3", "f32", "fma"), ("x86-64-v3", "bf16", "dot")):
            if cpu != "baseline" and not VECTORS:
                continue
            result = self.expect(harness.run([*command, cpu, "--precision", precision],
                                             env=harness.environment(SLOWER)))
            said = json.loads(result.out)
            self.assertEqual((said["product_way"], said["own_products"] > 0), (way, way is not None))
            self.assertEqual(SAID in result.err, said["openblas_products"] > 0)

    def test_version(self):
        for env, by in ((SLOWER, "OPENBLAS_CORETYPE"), ({"OPENBLAS_CORETYPE": ""}, "(the processor's vectors|itself)")):
            said = self.expect(harness.run([harness.hcc_path(), "--version", "--verbose"],
                                           env=harness.environment(env))).out
            self.assertRegex(said, rf"kernels for \w+ \(chosen by {by}\), threads: 1\n")


if __name__ == "__main__":
    harness.main(__name__)
