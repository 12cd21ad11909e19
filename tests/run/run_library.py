#!/usr/bin/env python3
"""The standard library's connections: documented, short, and nothing the compiler knows of."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

MODEL = os.path.join(harness.ROOT, "examples", "shakespeare.hc")
SMALL = ["--set", "d=32", "--set", "heads=2", "--set", "blocks=1", "--set", "context=16"]


def connections():
    listed = json.loads(harness.hcc("show", "--json").out)
    return [entry for entry in listed if entry["kind"] == "connection"]


def nests(file, wiring):
    answer = harness.hcc("emit", file, "--stage", "nests", "--set", f"wiring={wiring}", *SMALL)
    return answer.out if answer.code == 0 else None


def nameless(text):
    """Without the values' and kernels' names, which come from the definitions."""
    return re.sub(r'"[^"]*"|(?<=%)(\d+):\w+', r"\1", text)


class Library(harness.TestCase):
    def test_the_manual_is_up_to_date(self):
        self.expect(harness.run([sys.executable, "-B",
                                 os.path.join(harness.ROOT, "scripts", "manual.py"), "--hcc",
                                 harness.hcc_path(), "--check"]))

    def test_doc_comments_say_what_a_reader_asks(self):
        for entry in connections():
            for label in ("Source", "Begins", "Cost", "Use"):
                with self.subTest(connection=entry["name"], label=label):
                    self.assertRegex(entry["doc"], rf"(?m)^{label}: ")

    def test_definitions_are_short(self):
        for entry in connections():
            with self.subTest(connection=entry["name"]):
                self.assertLessEqual(len(entry["text"].rstrip("\n").split("\n")), 40)

    def test_the_list_of_what_is_tested_is_true(self):
        """docs/tested.md: every equivalence and property, and tests that are there."""
        with open(os.path.join(harness.ROOT, "docs", "tested.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(re.findall(r"(?m)^\| ([EI]\d+) ", text),
                         [f"E{k}" for k in range(1, 35)] + [f"I{k}" for k in range(1, 21)])
        named = re.findall(r"`(\w+\.py)` `(\w+)\.(\w+)`", text)
        self.assertGreaterEqual(len(named), 50)
        for file, name, test in named:
            with self.subTest(file=file, test=f"{name}.{test}"):
                with open(os.path.join(harness.ROOT, "tests", "diff", file),
                          encoding="utf-8") as source:
                    own = source.read().split(f"\nclass {name}(", 1)[1].split("\nclass ", 1)[0]
                self.assertIn(f"    def {test}(self)", own)

    def test_a_copy_compiles_to_the_same_nests(self):
        """Nothing hangs on a connection's name, nor on its being in the library."""
        compared = 0
        for entry in connections():
            name = entry["name"]
            original = nests(MODEL, name)
            if original is None:
                continue  # one that wants inputs or branches this model does not have
            text = re.sub(rf"\bconnection {name}\b", "connection my_own", entry["text"])
            with open(MODEL, encoding="utf-8") as model:
                copy = nests(self.write("copy.hc", model.read() + "\n" + text), "my_own")
            with self.subTest(connection=name):
                self.assertIsNotNone(copy)
                self.assertEqual(nameless(copy), nameless(original))
                compared += 1
        self.assertGreater(compared, 5)


harness.main(__name__)
