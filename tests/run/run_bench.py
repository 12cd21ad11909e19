#!/usr/bin/env python3
"""bench/run.py on hcc's side alone, small: its models compile, its plans are understood, and it
writes its tables and plot; and it tells what fails."""

import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness


def bench(folder, *arguments):
    command = [sys.executable, "-B", os.path.join(harness.ROOT, "bench", "run.py"), "--out", folder,
               "--hcc", harness.hcc_path(), "--quick", "--rounds", "1", "--steps", "1", *arguments]
    done = harness.run(command, timeout=600)
    with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
        return done, json.load(file)


class Bench(unittest.TestCase):
    def test_measures(self):
        with tempfile.TemporaryDirectory() as folder:
            done, result = bench(folder, "--sides", "hcc", "--cases", "1,2,3,4", "--wirings",
                                 "shc,residual,sinkhorn")
            self.assertEqual(done.code, 0, done)
            self.assertEqual({g["case"] for g in result["groups"]}, {1, 2, 3, 4})
            for group in result["groups"]:
                for row in group["rows"]:
                    found = group["rounds"][0][row["label"]]["hcc"]
                    self.assertGreater(found["forward_ms"], 0)
                    self.assertGreater(found["backward_ms"], 0)
            static = result["groups"][0]["rounds"][0]["static"]["hcc"]
            self.assertGreaterEqual(static["forward_bytes"], 4 * 10 * 1280)  # the floor
            self.assertGreaterEqual(static["backward_bytes"], 4 * 15 * 1280)
            if not harness.sanitized():  # another Python cannot load such a library
                errors = result["sinkhorn_errors"]["hcc"]  # destinations come last in an iteration
                self.assertLess(errors["destinations_max"], 1e-6)
                self.assertLess(errors["sources_max"], 1e-2)
            xml.etree.ElementTree.parse(os.path.join(folder, "plot.svg"))

    def test_tells_what_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            done, result = bench(folder, "--sides", "hcc", "--cases", "4", "--wirings", "residual",
                                 "--set", "heads=5")
            self.assertEqual(done.code, 1)
            self.assertIn("residual, hcc", result["groups"][0]["failed"])
            with open(os.path.join(folder, "table.md"), encoding="utf-8") as file:
                text = file.read()
            self.assertIn("**failed**", text)
            self.assertIn("the width splits into equal heads", text)


if __name__ == "__main__":
    harness.main(__name__)
