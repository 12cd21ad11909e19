#!/usr/bin/env python3
"""Within a bound on memory (--memory): the same bits as without, whatever runs again in the backward
pass, and no more bytes than were allowed."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import SHAKESPEARE, Model, build, harness, settings
from harness import hcc

SIZES = {"d": 64, "heads": 4, "blocks": 3, "context": 40, "train__batch": 9}
WIRINGS = ["residual", "dhc", "mhc", "frac", "denseformer"]


class Memory(harness.TestCase):
    def least(self, wiring, file=SHAKESPEARE):
        """The smallest bound that can be kept, in hcc's words."""
        result = self.expect(hcc("info", file, *settings(wiring=wiring, **SIZES), "--memory", "1"),
                             6)
        return "".join(re.search(r"a step takes at least (\d+) ([KM])B", result.err).groups())

    def gradients(self, path, threads):
        """Loss and all gradients, as bytes, of two steps."""
        seen = []
        with Model(path, threads=threads) as model:
            model.init(3)
            count = SIZES["train__batch"] * SIZES["context"]
            model.set_input("tokens", [(k * k + 7 * k) % 251 for k in range(count)])
            model.set_input("next", [(3 * k * k + k) % 241 for k in range(count)])
            for _ in range(2):
                seen.append(model.forward())
                model.backward()
                seen += [bytes(p.gradient) for p in model.parameters.values()]
                model.step()
        return seen

    def compare(self, name, wiring, file=SHAKESPEARE):
        bound = self.least(wiring, file)
        stored = build(self.path(f"{name}-stored.so"), file=file, wiring=wiring, **SIZES)
        again = build(self.path(f"{name}-again.so"), "--memory", bound, file=file, wiring=wiring,
                      **SIZES)
        expected = self.gradients(stored, 1)
        for threads in (1, 2, 3):
            self.assertEqual(self.gradients(again, threads) == expected, True,
                             f"{name}: {threads} threads")
        print(f"{name}: the same bits in {bound}B", flush=True)

    def test_wirings(self):
        for wiring in WIRINGS:
            with self.subTest(wiring):
                self.compare(wiring, wiring)

    def test_random(self):
        """What is drawn again is the same."""
        with open(SHAKESPEARE, encoding="utf-8") as source:
            text = source.read()
        dropping = text.replace("attention(heads", "attention(heads, dropout = 0.3")
        self.assertNotEqual(text, dropping)
        self.compare("dropout", "dhc", self.write("dropout.hc", dropping))

    def test_bounds(self):
        """What a step takes is what was asked for or less, and what is told beforehand."""
        constants = settings(wiring="mhc", **SIZES)
        free = json.loads(self.expect(hcc("bench", SHAKESPEARE, *constants, "--steps", "1",
                                          "--threads", "1", "--json")).out)["peak_bytes"]
        low = self.least("mhc")
        self.assertLess(int(low[:-1]) * {"K": 1000, "M": 1000000}[low[-1]], 0.8 * free)
        for share in (0.95, 0.85):
            bound = int(share * free)
            options = [SHAKESPEARE, *constants, "--memory", str(bound)]
            info = json.loads(self.expect(hcc("info", *options, "--json")).out)
            self.assertGreater(len(info["replays"]["calls"]), 0)
            self.assertLess(info["workspace_bytes"], info["replays"]["stored_bytes"])
            text = self.expect(hcc("info", *options)).out
            self.assertIn("made again: ", text)
            bench = json.loads(self.expect(hcc("bench", *options, "--steps", "1", "--threads", "1",
                                               "--json")).out)
            self.assertLessEqual(info["workspace_bytes"] + info["other_bytes"], bound)
            # without a bound earlier positions have places of their own besides, for sampling
            more = free - bench["peak_bytes"] \
                - (info["replays"]["stored_bytes"] - info["workspace_bytes"])
            self.assertGreaterEqual(more, 0)
            self.assertLess(more, 0.01 * free)

    def test_too_little(self):
        for command in ("info", "build", "bench", "emit"):
            out = ["-o", self.path("m.so")] if command == "build" else \
                ["--stage", "fused"] if command == "emit" else []
            result = self.expect(hcc(command, SHAKESPEARE, *out, *settings(**SIZES),
                                     "--memory", "1M"), 6)
            self.assertRegex(result.err, r"--memory: a step takes at least \d+ [KM]B: \d+ [KM]B for "
                                         r"parameters, .* for a batch of 9 x 40 positions")

    def test_runs_remember(self):
        """Evaluation compiles a run's model again, within the same bound."""
        data = self.write("text.txt", b"the quick brown fox jumps over the lazy dog; " * 200)
        bound, runs = self.least("mhc"), {}
        for name, more in (("free", []), ("bound", ["--memory", bound])):
            runs[name] = self.path(name)
            self.expect(hcc("train", SHAKESPEARE, *settings(wiring="mhc", **SIZES), "--steps", "3",
                            "--data", data, "--out", runs[name], *more))
        with open(os.path.join(runs["bound"], "config.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["hcc"]["memory"], 1000)
        losses = [json.loads(self.expect(hcc("eval", run, "--json")).out)["val_loss"]
                  for run in runs.values()]
        self.assertEqual(losses[0], losses[1])


if __name__ == "__main__":
    harness.main(__name__)
