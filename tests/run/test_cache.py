#!/usr/bin/env python3
"""The compile cache as a user meets it: where it is, what is found in it, what it never does."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

MODEL = "examples/shakespeare.hc"
SMALL = ["--set", "d=32", "--set", "blocks=1", "--set", "context=16", "--set", "train.batch=2"]
LARGER = ["bench", MODEL, *SMALL, "--steps", "1", "--time-passes"]
# Six kernels: enough to be found, missed and damaged.
BENCH = ["bench", "examples/small.hc", "--steps", "1", "--time-passes"]


class Cache(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache")
        self.places = {"HCC_CACHE_DIR": self.cache}

    def run_hcc(self, *arguments, code=0, **places):
        return self.expect(hcc(*arguments, env=places or self.places), code)

    def use(self, *arguments, command=BENCH, **places):
        """What --time-passes says: (found, compiled)."""
        err = self.run_hcc(*command, *arguments, **places).err
        said = re.search(r"(?m)^cache: (\d+) found, (\d+) compiled, in (.*)$", err)
        self.assertTrue(said, err)
        if not places:
            self.assertEqual(said.group(3), self.cache)
        return int(said.group(1)), int(said.group(2))

    def entries(self):
        return sorted(os.path.join(self.cache, name) for name in os.listdir(self.cache)
                      if name.endswith(".code"))

    def test_a_second_run_compiles_nothing(self):
        found, compiled = self.use(command=LARGER)
        self.assertEqual(found, 0)
        self.assertGreater(compiled, 5)
        self.assertEqual(self.use(command=LARGER), (compiled, 0))
        # Nor does another command, or what is no part of a kernel.
        self.assertEqual(self.use("--seed", "7", "--threads", "1", command=LARGER), (compiled, 0))
        self.assertEqual(self.use("--set", "train.lr=0.5", command=LARGER), (compiled, 0))
        # Of a model that differs a little, most is there.
        found, compiled = self.use("--set", "wiring=shc", command=LARGER)
        self.assertGreater(found, 0)
        self.assertGreater(compiled, 0)

    def test_what_changes_code_misses(self):
        kernels = self.use("--cpu", "x86-64-v2")[1]
        self.assertEqual(self.use("--cpu", "baseline")[0], 0)
        self.assertEqual(self.use("--cpu", "baseline", "-O1")[0], 0)
        self.assertEqual(self.use("--cpu", "baseline", "--precision", "f64")[0], 0)
        self.assertEqual(self.use("--cpu", "x86-64-v2"), (kernels, 0))

    def test_built_files_are_the_same(self):
        objects = []
        for more in [["--no-cache"], [], []]:
            objects.append(self.path(f"{len(objects)}.o"))
            err = self.run_hcc("build", MODEL, *SMALL, "-o", objects[-1], "--time-passes", *more).err
        self.assertIn("cache: 1 found, 0 compiled", err)
        texts = [open(path, "rb").read() for path in objects]
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])

    def test_training_is_the_same(self):
        runs = []
        for more in [["--no-cache"], [], []]:
            out = self.path(f"run{len(runs)}")
            self.run_hcc("train", MODEL, *SMALL, "--set", "wiring=mhc", "--data", "docs", "--steps",
                         "4", "--out", out, "--json", *more)
            with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as log:
                lines = [json.loads(line) for line in log]
            runs.append([line["loss"] for line in lines if "loss" in line])
        self.assertGreater(len(runs[0]), 1)
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])
        # A run's own commands find what the training left.
        err = self.run_hcc("sample", self.path("run2"), "--length", "5", "--time-passes").err
        self.assertRegex(err, r"(?m)^cache: \d+ found, 0 compiled")

    def test_damaged_entries_are_made_again(self):
        compiled = self.use()[1]
        entries = self.entries()
        self.assertEqual(len(entries), compiled)
        whole = [open(path, "rb").read() for path in entries]
        for k, path in enumerate(entries):
            with open(path, "wb") as to:
                to.write([whole[k][:-1], whole[k] + b"x", b"", b"\0" * len(whole[k]),
                          whole[k][:-9] + b"?" + whole[k][-8:]][k % 5])
        self.assertEqual(self.use(), (0, compiled))
        self.assertEqual([open(path, "rb").read() for path in entries], whole)
        self.assertEqual(self.use(), (compiled, 0))

    def test_private_to_the_user(self):
        compiled = self.use()[1]
        self.assertEqual(stat.S_IMODE(os.stat(self.cache).st_mode), 0o700)
        for path in self.entries():
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        os.chmod(self.entries()[0], 0o666)
        self.assertEqual(self.use(), (compiled - 1, 1))
        os.chmod(self.cache, 0o777)
        self.assertIn("cache: none", self.run_hcc(*BENCH).err)
        self.assertIn("others may write", self.run_hcc(*BENCH).err)

    def test_places(self):
        nowhere = {"HCC_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": ""}
        result = self.run_hcc(*BENCH, **nowhere)
        self.assertIn("cache: none", result.err)
        self.assertGreater(self.use(**dict(nowhere, HOME=self.path("home")))[1], 0)
        self.assertTrue(os.path.isdir(self.path("home/.cache/hcc")))
        self.assertGreater(self.use(**dict(nowhere, XDG_CACHE_HOME=self.path("xdg"),
                                           HOME=self.path("home")))[1], 0)
        self.assertTrue(os.path.isdir(self.path("xdg/hcc")))
        # A relative path is not one, says its specification.
        self.assertEqual(self.use(**dict(nowhere, XDG_CACHE_HOME="xdg",
                                         HOME=self.path("home")))[1], 0)

    def test_no_cache(self):
        for more, places in [(["--no-cache"], self.places),
                             ([], dict(self.places, HCC_CACHE_SIZE="0"))]:
            self.assertIn("cache: none", self.run_hcc(*BENCH, *more, **places).err)
            self.assertFalse(os.path.exists(self.cache))
        result = self.run_hcc(*BENCH, code=2, **dict(self.places, HCC_CACHE_SIZE="1 GB"))
        self.assertIn("number of MiB, not '1 GB'", result.err)
        # A folder that cannot be one is no reason to stop.
        place = self.write("file", "")
        self.assertIn("cache: none", self.run_hcc(*BENCH, HCC_CACHE_DIR=place).err)
        self.run_hcc(*BENCH[:-1], HCC_CACHE_DIR=place)

    def test_never_larger_than_it_may_be(self):
        def kept():
            return {path: (os.stat(path).st_size + 4095) // 4096 * 4096 for path in self.entries()}

        def fill(width, places):
            self.use("--set", f"d={width}", "--set", "wiring=mhc", "--precision", "f64", command=LARGER, **places)
            return kept()

        most = -(-sum(fill(32, self.places).values()) // (1 << 20))  # MiB: one, or what one needs
        shutil.rmtree(self.cache)
        ever = {}
        for width in range(32, 128, 16):
            now = fill(width, dict(self.places, HCC_CACHE_SIZE=str(most)))
            self.assertLessEqual(sum(now.values()), most << 20)
            ever.update(now)
            if sum(ever.values()) > most << 20:
                break
        self.assertGreater(sum(ever.values()), most << 20)

    def test_several_at_once(self):
        alone = self.use()[1]
        shutil.rmtree(self.cache)
        running = [subprocess.Popen([harness.hcc_path(), *BENCH], cwd=harness.ROOT,
                                    env=harness.environment(self.places), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE) for _ in range(4)]
        for process in running:
            _, err = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.use(), (alone, 0))


if __name__ == "__main__":
    harness.main(__name__)
