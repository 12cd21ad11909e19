#!/usr/bin/env python3
"""hcc report: one page of HTML that loads nothing, with a table behind every picture."""

import glob
import html.parser
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

# Two sites with streams, which train in a moment.
MODEL = """use std;
model m {
  const v = 256, d = 8, wiring = shc(n = 2);
  positions t <= 4;
  input  tokens[t] : token(v);
  target next[t]   : token(v);
  param T[v, d] ~ normal(0.1);
  let x = embed(tokens, T);
  let h = trunk(x) { repeat 2 { a = wiring : linear(d); } };
  let logits[j] = sum[c] T[j,c] * h[c];
  loss cross_entropy(logits, next);
}
train m { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; } batch 2; steps 4; eval_every 2; }
"""
EMPTY = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Fails where elements do not nest; keeps what a test looks at."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.rows, self.text = [], [], [], [], []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open[-1] == tag, (self.open, tag, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


class Report(harness.TestCase):
    def page(self, *words, code=0):
        out = self.path("page.html")
        self.expect(hcc("report", *words, "-o", out), code)
        with open(out, encoding="utf-8") as file:
            return Page(file.read())

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="hcc-report-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.data = os.path.join(cls.shared, "text.txt")
        for name, text in (("m.hc", MODEL), ("text.txt", "to be or not to be, that is the question:\n" * 40)):
            with open(os.path.join(cls.shared, name), "w", encoding="utf-8") as file:
                file.write(text)
        swept = hcc("sweep", os.path.join(cls.shared, "m.hc"), "--data", cls.data, "--out",
                    os.path.join(cls.shared, "runs"), "--seeds", "2", "--workers", "2", "--threads", "1", "--vary",
                    "wiring=residual,shc(n=2)", "--json")
        assert swept.code == 0, swept
        cls.compared = json.loads(swept.out)

    def runs(self):
        shutil.copytree(os.path.join(self.shared, "runs"), self.path("runs"))

    def test_all_of_it(self):
        page = self.page(os.path.join(self.shared, "runs"))
        said = "".join(page.text)
        for group in self.compared["groups"]:
            row = next(row for row in page.rows if row[0] == group["name"])
            self.assertEqual(row[1], "1 2")
            mean, deviation = (group["at_equal_step"][name] for name in ("mean", "deviation"))
            self.assertEqual(row[2], f"{mean:.4f} ± {deviation:.4f}")
        for name in ("Comparison", "Loss curves", "Quality against speed", "Maps of every site", "From layer to layer",
                     "Gain over depth", "Composite gain of the trunk while training", "Settings in which the groups differ"):
            self.assertIn(name, said)
        for row in (["trunk.1.a", "1", "1", ""], ["the trunk's end", "1", "1", "1"]):  # the residual's
            self.assertIn(row, page.rows)
        self.assertIn(["model", "m"], page.rows)  # what all have
        self.assertIn(["train.steps", "4"], page.rows)
        self.assertEqual(page.tags.count("details"), 8 + 2 * 4)
        for tag, attributes in page.attributes:
            self.assertNotIn(tag, ("script", "link", "img", "iframe", "object"))
            for name in ("src", "onclick", "onload"):
                self.assertNotIn(name, attributes)
            self.assertRegex(attributes.get("href", "#"), "^#")
            if tag == "svg":
                self.assertTrue(attributes.get("aria-label") or attributes.get("aria-hidden"))

    def test_names_of_runs_are_text(self):
        """Whatever a run calls itself, and however it ended."""
        self.runs()
        hostile = "</title><script>alert(1)</script>\"'&\x01\u2028"
        for name in os.listdir(self.path("runs")):
            path = os.path.join(self.path("runs"), name, "config.json")
            if name != "sweep.json":
                with open(path, encoding="utf-8") as file:
                    config = json.load(file)
                config["constants"][hostile] = hostile + config["constants"]["wiring"]
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(config, file)
        os.mkdir(self.path("runs/<b>&"))
        self.write("runs/<b>&/config.json", "{")
        page = self.page(self.path("runs"), "--no-maps", code=3)
        self.assertNotIn("script", page.tags)
        self.assertNotIn("b", page.tags)
        self.assertIn("<script>alert(1)</script>", "".join(page.text))
        self.assertIn("<b>&", "".join(page.text))
        self.assertNotIn("\x01", "".join(page.text))

    def test_what_is_missing_is_said(self):
        self.runs()
        for name in glob.glob(self.path("runs/*/config.json")):
            with open(name, encoding="utf-8") as file:
                config = file.read()
            with open(name, "w", encoding="utf-8") as file:
                file.write(config.replace(self.data, self.path("gone.txt")))
        out = self.path("page.html")
        said = self.expect(hcc("report", self.path("runs"), "-o", out)).err
        self.assertRegex(said, r"the report lacks the maps of `.*seed=1`: .*gone\.txt")
        with open(out, encoding="utf-8") as file:
            self.assertIn("its maps could not be had", file.read())
        mine = self.write("mine.html", "<p>mine</p>")
        self.assertIn("does not say that hcc made it", self.expect(hcc("report", self.path("runs"), "-o", mine), 2).err)
        self.expect(hcc("report", self.path("nothing"), "-o", out), 3)


harness.main(__name__)
