#!/usr/bin/env python3
"""The same losses, bit for bit, however many threads train, and whoever drives the training.

Extents are such that there are more tiles than threads in every phase, and a last one that is not
full.
"""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import SHAKESPEARE, Model, build, harness, settings

SIZES = {"d": 64, "heads": 4, "blocks": 2, "context": 56, "train__batch": 7, "train__steps": 30,
         "train__warmup": 5}
WIRINGS = ["residual", "postnorm", "shc", "dhc", "frac", "mhc", "harmonised"]


def read_log(run):
    """What must agree of each step; times may not."""
    with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as log:
        lines = [json.loads(line) for line in log]
    return [(line["step"], line["loss"], line["grad_norm"], line["lr"]) for line in lines]


class Determinism(harness.TestCase):
    def setUp(self):
        super().setUp()
        text = b""
        for name in ("grammar/GRAMMAR.md", "docs/commands.md"):
            with open(os.path.join(harness.ROOT, name), "rb") as file:
                text += file.read()
        self.data = self.write("text.txt", text)

    def train(self, program, name, wiring=None, threads=1, *more):
        """By hcc, or by a program that it built; returns the log."""
        run = self.path(name)
        what = [SHAKESPEARE, *settings(wiring=wiring, **SIZES)] if wiring else []
        self.expect(harness.run([program, "train", *what, "--data", self.data, "--out", run,
                                 "--threads", str(threads), *more]))
        log = read_log(run)
        self.assertEqual(len(log), 30)
        self.assertLess(log[-1][1], log[0][1] - 0.3)
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        with open(os.path.join(run, "ckpt", "final.safetensors"), "rb") as file:
            return log, summary["val_loss"], file.read()

    def test_threads(self):
        for wiring in WIRINGS:
            with self.subTest(wiring):
                one = self.train(harness.hcc_path(), f"{wiring}-1", wiring, 1)
                for threads in (2, 3):
                    other = self.train(harness.hcc_path(), f"{wiring}-{threads}", wiring, threads)
                    self.assertEqual(one[0], other[0])
                    self.assertEqual(one[1], other[1], "held-out loss")
                    self.assertEqual(one[2] == other[2], True, "weights")
                print(f"{wiring}: 1, 2 and 3 threads agree, last loss {one[0][-1][1]!r}", flush=True)

    def test_bf16(self):
        """The same in bf16, with products and attention of its own kernels, and near f32's losses."""
        for wiring in ("residual", "mhc"):
            with self.subTest(wiring):
                f32 = self.train(harness.hcc_path(), f"{wiring}-f32", wiring, 2)
                one = self.train(harness.hcc_path(), f"{wiring}-bf16-1", wiring, 1, "--precision", "bf16")
                self.assertNotEqual(one[0], f32[0])
                self.assertLess(abs(one[1] - f32[1]), 0.01)
                for threads in (3, 8):
                    other = self.train(harness.hcc_path(), f"{wiring}-bf16-{threads}", wiring, threads,
                                       "--precision", "bf16")
                    self.assertEqual(one[0], other[0])
                    self.assertEqual(one[2] == other[2], True, "weights")
                print(f"{wiring} in bf16: 1, 3 and 8 threads agree, held-out loss {one[1]!r}, "
                      f"in f32 {f32[1]!r}", flush=True)

    def test_executable(self):
        for wiring in ("residual", "mhc"):
            with self.subTest(wiring):
                own = self.train(harness.hcc_path(), f"{wiring}-hcc", wiring, 2)
                program = build(self.path(f"shakespeare-{wiring}"), wiring=wiring, **SIZES)
                self.assertEqual(own, self.train(program, f"{wiring}-program", None, 2))

    def test_embedded(self):
        """examples/embed/train.c, and the same library from Python, on the batches hcc logged."""
        compiler = shutil.which("cc")
        sanitize = ["-fsanitize=address"] if harness.sanitized() else []
        for wiring in ("residual", "mhc"):
            with self.subTest(wiring):
                batches = self.path(f"{wiring}.bin")
                log = self.train(harness.hcc_path(), f"{wiring}-logged", wiring, 1,
                                 "--batch-log", batches)[0]
                wanted = [loss for _, loss, _, _ in log]
                path = build(self.path("shakespeare.so"), wiring=wiring, **SIZES)
                self.assertEqual(self.by_hand(path, batches), wanted)
                if not compiler:
                    continue
                program = self.path("embed")
                self.expect(harness.run([compiler, *sanitize, "-I", self.folder,
                                         "examples/embed/train.c", path, "-o", program]))
                result = self.expect(harness.run([program, self.data, batches]))
                self.assertEqual([float(word) for word in result.out.split()], wanted)

    def by_hand(self, path, batches):
        samples, positions = SIZES["train__batch"], SIZES["context"]
        with open(batches, "rb") as file:
            starts = memoryview(file.read()).cast("q")
        with open(self.data, "rb") as file:
            text = file.read()
        losses = []
        # A copy: a library of this name may be loaded already.
        own = shutil.copy(path, os.path.splitext(path)[0] + f"-{len(os.listdir(self.folder))}.so")
        shutil.copy(os.path.splitext(path)[0] + ".manifest.json",
                    os.path.splitext(own)[0] + ".manifest.json")
        with Model(own, threads=3) as model:
            model.init(1)
            for step in range(0, len(starts), samples):
                windows = [text[s : s + positions + 1] for s in starts[step : step + samples]]
                model.set_input("tokens", [b for w in windows for b in w[:-1]])
                model.set_input("next", [b for w in windows for b in w[1:]])
                losses.append(model.forward())
                model.backward()
                model.step()
        return losses


if __name__ == "__main__":
    harness.main(__name__)
