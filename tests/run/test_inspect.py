#!/usr/bin/env python3
"""hcc inspect: numbers of tensors, and maps of sites, of models as they begin and of runs."""

import json
import math
import os
import struct
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

MODEL = """model m {
  const vocab = 256, d = 12, n = 3, wiring = shc;
  positions t <= 8;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.1);
  let x = embed(tokens, E);
  let h = trunk(x) { repeat 2 { a = wiring : linear(d); } };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
train m { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.2; } batch 2; steps 2; }
"""
IDENTITY = [[float(k == j) for j in range(3)] for k in range(3)]


def times(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


class Inspect(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.hc", MODEL)
        self.text = self.write("text.txt", "To be, or not to be, that is the question. " * 20)

    def inspect(self, *words):
        return json.loads(self.expect(hcc("inspect", *words, "--json", "-O0")).out)

    def test_static_maps_need_no_data(self):
        found = self.inspect(self.model, "--maps")
        self.assertEqual((found["samples"], len(found["sites"])), (0, 2))
        site = found["sites"][1]
        self.assertEqual((site["path"], site["connection"], site["branch"]), ("trunk.1.a", "shc", "linear"))
        self.assertEqual(site["streams"], ["H[0]", "H[1]", "H[2]"])
        self.assertEqual((site["read"], site["mix"], site["write"]),
                         ({"mean": [[0, 1, 0]]}, {"mean": IDENTITY}, {"mean": [[1], [1], [1]]}))
        self.assertNotIn("norms", site)
        self.check_files()
        text = self.expect(hcc("inspect", self.model, "--maps", "--site", "*.1.*", "-O0")).out
        self.assertIn("trunk.1.a: shc around linear", text)
        self.assertNotIn("trunk.0.a", text)

    def check_files(self):
        npy, svg = self.path("npy"), self.path("svg")
        self.inspect(self.model, "--maps", "--npy", npy, "--svg", svg)
        self.assertEqual(len(os.listdir(npy)), 10)  # three of each site, one more at each end, two of the trunk
        with open(os.path.join(npy, "trunk.1.a.mix.npy"), "rb") as file:
            text = file.read()
        self.assertEqual((text[:6], len(text)), (b"\x93NUMPY", 128 + 9 * 8))
        self.assertIn(b"'shape': (3, 3)", text[:128])
        self.assertEqual(struct.unpack("<9d", text[128:]), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        self.assertEqual(sorted(os.listdir(svg)), ["trunk.0.a.svg", "trunk.1.a.svg", "unfolded.0.svg"])
        for name in os.listdir(svg):
            picture = xml.etree.ElementTree.parse(os.path.join(svg, name)).getroot()
            self.assertTrue(picture.tag.endswith("svg"))
        result = self.expect(hcc("inspect", self.model, "--maps", "--npy", npy, "-O0"), code=2)
        self.assertIn("does not say that hcc made it", result.err)

    def test_dynamic_maps_are_means_over_data(self):
        site = self.inspect(self.model, "--maps", "--set", "wiring=mhc")["sites"][0]
        self.assertIn("depends on the data", site["mix"]["why"])
        given = ("--maps", "--set", "wiring=mhc", "--data", self.text, "--precision", "f64", "--batches", "3")
        found = self.inspect(self.model, *given)
        self.assertEqual((found["part"], found["samples"]), ("held_out", 6))
        mix = found["sites"][1]["mix"]
        for row, deviations in zip(mix["mean"], mix["deviation"]):
            self.assertAlmostEqual(sum(row), 1, places=12)  # what reaches a destination
            self.assertTrue(all(0 < x < 1e-3 for x in deviations))
        self.assertEqual(len(found["sites"][1]["norms"]), 3)

    def test_a_run(self):
        run = self.path("run")
        self.expect(hcc("train", self.model, "--data", self.text, "--out", run, "--set", "wiring=dhc",
                        "--set", "train.lr=0.1", "--quiet", "-O0", "--wiring-every", "0"))
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as summary:
            self.assertNotIn("wiring", json.load(summary))
        maps = self.inspect(run, "--maps")
        self.assertNotEqual(maps["sites"][0]["mix"]["mean"], IDENTITY)
        self.check_depth(maps)
        found = self.inspect(os.path.join(run, "ckpt", "last"))
        by_name = {of["name"]: of for of in found["parameters"]}
        self.assertEqual(by_name["E"]["dims"], [256, 12])
        self.assertGreater(by_name["trunk.0.a.hc.Ar"]["deviation"], 0)
        self.assertEqual(found["probes"], [])
        short = self.write("short.txt", b"abc")
        said = self.expect(hcc("inspect", run, "--maps", "--data", short), code=3).err
        self.assertIn("the held-out part has", said)

    def test_data_without_a_window(self):
        with open(self.model, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("held_out = 0.2;", text)
        whole = self.write("whole.hc", text.replace("held_out = 0.2;", "").encode())
        run, short = self.path("run"), self.write("short.txt", b"abc")
        self.expect(hcc("train", whole, "--data", self.text, "--out", run, "--quiet", "-O0"))
        said = self.expect(hcc("inspect", run, "--maps", "--data", short), code=3).err
        self.assertIn("the training part has 3", said)

    def check_depth(self, found):
        """Gains and the unfolded trunk, from the maps of its two sites."""
        first, last = found["sites"]
        read, mix, write = ([site[name]["mean"] for site in (first, last)] for name in ("read", "mix", "write"))
        begin, end = first["begin"]["mean"], last["end"]["mean"]
        self.assertEqual((begin, end), ([[1], [1], [1]], [[1, 1, 1]]))
        trunk = found["trunks"][0]
        expected = [[times(read[0], begin), [[0]], [[0]]],
                    [times(read[1], times(mix[0], begin)), times(read[1], write[0]), [[0]]],
                    [times(times(end, mix[1]), times(mix[0], begin)), times(end, times(mix[1], write[0])),
                     times(end, write[1])]]
        for row, values in zip(expected, trunk["unfolded"]):
            for value, entry in zip(values, row):
                self.assertAlmostEqual(value, entry[0][0], places=12)
        all_of_it = times(mix[1], mix[0])
        self.assertAlmostEqual(trunk["composite_forward"][0], max(sum(map(abs, row)) for row in all_of_it))
        self.assertAlmostEqual(trunk["composite_backward"][0], max(sum(map(abs, row)) for row in zip(*all_of_it)))
        self.assertEqual(trunk["gain_backward"][1], trunk["composite_backward"][1])

    def test_trunks_unfold_to_what_their_text_says(self):
        def unfolded(wiring):
            return self.inspect(self.model, "--maps", "--set", "wiring=" + wiring, "--set", "n=2", "--data",
                                self.text)["trunks"][0]["unfolded"]

        self.assertEqual(unfolded("parallel"), [[1, 0, 0], [1, 0, 0], [1, 1, 1]])
        for k, row in enumerate(unfolded("attnres")):
            for j, entry in enumerate(row):
                self.assertAlmostEqual(entry, 1 / (k + 1) if j <= k else 0, places=6)

    def lines(self, *words):
        """The log and summary of a run."""
        run = self.path("run")
        self.expect(hcc("train", self.model, "--data", self.text, "--out", run, "--force", "--quiet", "-O0", *words))
        with open(os.path.join(run, "log.jsonl"), encoding="utf-8") as log:
            lines = [json.loads(line) for line in log]
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as summary:
            return lines, json.load(summary)

    def test_wiring_while_it_trains(self):
        lines, summary = self.lines("--set", "wiring=mhc", "--set", "train.eval_every=2", "--steps", "4")
        self.assertEqual([line["step"] for line in lines if "wiring" in line], [2])
        norms = lines[1]["gradient_norms"]
        self.assertEqual(set(norms), {"m", "mhc", "linear"})
        self.assertAlmostEqual(math.hypot(*norms.values()) / lines[1]["grad_norm"], 1, places=5)
        for wiring in lines[1]["wiring"], summary["wiring"]:
            self.assertAlmostEqual(wiring["gain"], 1, places=3)
            site = wiring["sites"]["trunk.1.a"]
            self.assertAlmostEqual(site["forward"], 1, places=3)
            self.assertAlmostEqual(sum(site["use"].values()), 1, places=6)
            self.assertEqual(set(site["norm"]), {"H[0]", "H[1]", "H[2]"})
            self.assertGreater(site["use"]["H[1]"], 0.7)
            self.assertLessEqual(site["similarity"], 1.0001)
        lines, summary = self.lines("--set", "wiring=residual", "--wiring-every", "3", "--steps", "4")
        self.assertEqual([line["step"] for line in lines if "gradient_norms" in line], [3])
        self.assertEqual(set(lines[2]["wiring"]["sites"]["trunk.0.a"]), {"forward", "backward", "norm"})

    def test_probes(self):
        found = self.inspect(self.model, "--set", "wiring=mhc", "--data", self.text)
        probe = found["probes"][0]
        self.assertEqual((probe["name"], probe["dims"]), ("trunk.0.a.hc.M", [3, 3]))
        self.assertAlmostEqual(probe["mean"], 1 / 3, places=5)
        self.assertGreater(probe["least"], 0)

    def test_what_is_wrong(self):
        result = self.expect(hcc("inspect", self.model, "--maps", "--site", "nowhere", "-O0"), code=2)
        self.assertIn("no site's path matches 'nowhere'", result.err)
        self.expect(hcc("inspect", self.model, "--site", "*"), code=2)
        self.expect(hcc("inspect", self.path("nothing.hc")), code=2)


harness.main(__name__)
