#!/usr/bin/env python3
"""A built executable says what hcc says: options, help, mistakes, results."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness
from harness import hcc

MODEL = """
model letters {
  const vocab = 256, d = 16;
  positions t <= 8 causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.02);
  param W[vocab, d] ~ normal(0.02);
  param idle[3] = 1;
  let h = embed(tokens, E);
  let logits[v] = sum[c] W[v,c] * h[c];
  loss cross_entropy(logits, next);
}
train letters {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.2; }
  optimizer adamw(lr = 1e-2); batch 4; steps 6; seed 3;
}
"""
COMMANDS = ("train", "eval", "sample", "bench", "info")


class Executable(harness.TestCase):
    built = None  # once for all tests

    def setUp(self):
        super().setUp()
        self.model = self.write("model.hc", MODEL)
        self.write("text", "one two three four five six seven\n" * 12)
        if not Executable.built:
            self.expect(hcc("build", self.model, "-o", self.path("program")))
            with open(self.path("program"), "rb") as file:
                Executable.built = file.read()
        self.write("program", Executable.built)
        os.chmod(self.path("program"), 0o755)

    def program(self, *arguments, code=0):
        return self.expect(harness.run([self.path("program"), *arguments], cwd=self.folder), code)

    def compiler(self, *arguments, code=0):
        return self.expect(hcc(*arguments, cwd=self.folder), code)

    def plain(self, text):
        """Without what differs: the program's name, and times."""
        text = text.replace(self.path("program"), "hcc")
        return re.sub(r"in \d+\.\d s", "in T s", text)

    def options(self, text):
        return [line for line in text.split("options:\n")[1].splitlines() if line.startswith("  ")]

    def test_options_and_their_help(self):
        for command in COMMANDS:
            own = self.options(self.program(command, "--help").out)
            of_hcc = self.options(self.compiler(command, "--help").out)
            self.assertEqual([line for line in own if line not in of_hcc], [], command)
            self.assertIn("  -h, --help               show help", own)
        self.assertIn("  train ", self.program("--help").out)

    def test_mistakes(self):
        for words in (["train", "--steps", "x"], ["train", "--stepz", "1"], ["train", "--prompt", "x"],
                      ["train", "--json=1"], ["train", "--out"], ["train", "-x"], ["train", "--set", "lr"],
                      ["train", "--threads", "0"], ["bench", "--steps", "0"], ["bench", "--batch", "0"],
                      ["sample", "--temperature", "-1", "run"], ["sample", "--top-k", "-1", "run"], ["eval"],
                      ["eval", "a", "b"], ["trian"], ["train", "--changed-data"], [],
                      ["eval", "--data-is-byte", "run"], ["eval", "--unheard-of-and-far", "run"]):
            with self.subTest(words):
                own = self.program(*words, code=2)
                self.assertEqual(self.plain(own.err), self.compiler(*words, code=2).err)
                self.assertEqual(own.out, "")

    def test_results(self):
        words = ["--data", "text", "--threads", "1", "--seed", "5", "--steps", "4", "--quiet"]
        of_hcc = self.compiler("train", "model.hc", *words, "--out", "theirs")
        own = self.program("train", *words, "--out", "own")
        self.assertIn("4 steps in ", own.out)
        self.assertEqual(self.plain(own.out).replace("own", "theirs"), self.plain(of_hcc.out))
        self.assertEqual(own.err, "")
        for words in (["eval", "theirs"], ["eval", "theirs", "--json"], ["sample", "theirs", "--length", "20"],
                      ["sample", "theirs", "--length", "20", "--recompute"],
                      ["sample", "theirs", "--length", "5", "--prompt", "on", "--seed", "2", "--top-k", "3"]):
            with self.subTest(words):
                self.assertEqual(self.program(*words).out, self.compiler(*words).out)
        for words in (["eval", "nowhere"], ["sample", "theirs", "--prompt", "x", "--from", "y"]):
            with self.subTest(words):
                code = 2 if "--from" in words else 3
                self.assertEqual(self.plain(self.program(*words, code=code).err), self.compiler(*words, code=code).err)
        self.compiler("train", "model.hc", "--data", "text", "--steps", "0", "--quiet", "--from", "own", "--out", "next")
        self.assertEqual(self.program("eval", "next").out, self.program("eval", "own").out)

    def test_bench_and_info(self):
        words = ["--steps", "2", "--warmup", "0", "--batch", "3", "--positions", "5", "--threads", "1"]
        own, of_hcc = self.program("bench", *words), self.compiler("bench", "model.hc", *words)
        numberless = [re.sub(r"[\d.]+|\s+", " ", text) for text in (own.out, of_hcc.out)]
        self.assertEqual(*numberless)
        found = [json.loads(result.out) for result in (self.program("bench", *words, "--json"),
                                                        self.compiler("bench", "model.hc", *words, "--json"))]
        self.assertEqual(*(list(result) for result in found))
        self.assertEqual([(r["samples"], r["positions"], r["threads"]) for r in found], [(3, 5, 1)] * 2)
        own, of_hcc = self.program("info").out, self.compiler("info", "model.hc").out
        self.assertTrue(of_hcc.startswith(own), own)
        own_json, of_hcc_json = [json.loads(result.out) for result in (self.program("info", "--json"),
                                                                       self.compiler("info", "model.hc", "--json"))]
        self.assertEqual(own_json, {key: of_hcc_json[key] for key in own_json})
        self.assertEqual((own_json["no_path"], own_json["batch"]), (["idle"], 4))
        self.assertIn("no path to loss", own)
        self.assertIn("idle", own)


harness.main(__name__)
