#!/usr/bin/env python3
"""hcc predict: values of any output on any kind of data; hcc eval --override: a model with other
values in place of its parameters."""

import csv
import io
import json
import math
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import harness

# What is measured of a row, and of a position of text.
TABLE = """model line {
  input  x[2]   : real;
  target y      : real;
  param  W[2] ~ normal(1);
  let guess = sum[i] W[i] * x[i];
  let twice[i] = 2 * x[i];
  probe twice;
  probe guess;
  loss (guess - y) * (guess - y);
}
train line {
  data table { x[i] = columns[i]; y = columns[2]; held_out = 0.4; }
  batch 2; steps 1;
}
"""

# M mixes two streams; BEFORE is the same without it.
MIXED = """model mixed {
  const v = 256, n = 2, d = 4;
  positions t <= 4;
  input  now[t]  : token(v);
  target next[t] : token(v);
  param E[v, n, d] ~ normal(1);
  param M[n, n] ~ normal(1);
  param extra[n, n + 1] ~ normal(1);
  let x = embed(now, E);
  let more = sum[i, j] extra[i, j] * (i + 2 * j);
  let mixed[i, c] = sum[j] M[i, j] * x[j, c] + 0.1 * more;
  let logits[k] = sum[i, c] mixed[i, c] * E[k, i, c];
  loss cross_entropy(logits, next);
}
train mixed { data text { now[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.5; } batch 2; steps 2; }
"""


class Files(harness.TestCase):
    def hcc(self, *arguments, code=0):
        return self.expect(harness.hcc(*arguments, cwd=self.folder), code)

    def npy(self, name, kind, dims, values, order="False"):
        head = "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }" % (kind, order, "".join(f"{d}," for d in dims))
        head += " " * (-(11 + len(head)) % 64) + "\n"
        form = {"<f4": "f", "<f8": "d", "<i4": "i"}[kind]
        return self.write(name, b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
                          + struct.pack(f"<{len(values)}{form}", *values))

    def read_npy(self, name):
        with open(self.path(name), "rb") as file:
            raw = file.read()
        end = 10 + int.from_bytes(raw[8:10], "little")
        self.assertEqual(end % 64, 0)
        head = eval(raw[10:end], {"__builtins__": {}})  # a literal that we wrote
        form = {"<f4": "f", "<f8": "d"}[head["descr"]]
        count = math.prod(head["shape"])
        return head["shape"], struct.unpack(f"<{count}{form}", raw[end:])

    def rows(self, text):
        heading, *rows = csv.reader(io.StringIO(text, newline=""))
        return heading, [[float(x) for x in row] for row in rows]


class Predict(Files):
    def table(self):
        self.write("line.hc", TABLE)
        self.write("t.csv", "".join(f"{k},{k * k},{k + 1}\n" for k in range(10)))
        self.hcc("train", "line.hc", "--data", "t.csv", "--out", "run", "--quiet")

    def test_samples_of_a_table(self):
        self.table()
        heading, rows = self.rows(self.hcc("predict", "run", "--output", "twice").out)
        self.assertEqual(heading, ["sample", "twice.0", "twice.1"])
        self.assertEqual(rows, [[k, 2 * k, 2 * k * k] for k in range(6, 10)])
        rows = self.rows(self.hcc("predict", "run", "--output", "twice", "--all").out)[1]
        self.assertEqual(rows, [[k, 2 * k, 2 * k * k] for k in range(10)])
        rows = self.rows(self.hcc("predict", "run", "--output", "twice", "--all", "--limit", "3").out)[1]
        self.assertEqual([row[0] for row in rows], [0, 1, 2])
        self.write("other.csv", "1,2,3\n" * 4 + "5,6,7\n")
        rows = self.rows(self.hcc("predict", "run", "--output", "twice", "--data", "other.csv").out)[1]
        self.assertEqual(rows, [[3, 2, 4], [4, 10, 12]])
        lines = [json.loads(line) for line in self.hcc("predict", "run", "--output", "guess", "--json").out.splitlines()]
        values = self.rows(self.hcc("predict", "run", "--output", "guess").out)[1]
        self.assertEqual(len(values), 4)
        self.assertEqual([[line["sample"], line["guess"]] for line in lines], values)

    def test_windows_of_text(self):
        self.write("m.hc", MIXED)
        self.write("text.txt", "the cat sat on the mat " * 3)
        self.hcc("train", "m.hc", "--data", "text.txt", "--out", "run", "--quiet")
        for name in ("l.npy", "l.csv", "l.jsonl"):
            self.hcc("predict", "run", "--output", "logits", "--out", name)
        shape, values = self.read_npy("l.npy")
        self.assertEqual(shape[1:], (4, 256))
        with open(self.path("l.csv"), encoding="utf-8", newline="") as file:
            heading, rows = self.rows(file.read())
        self.assertEqual(heading[:3], ["start", "position", "logits.0"])
        self.assertTrue(tuple(struct.unpack("f", struct.pack("f", x))[0] for row in rows for x in row[2:]) == values)
        self.assertEqual([row[:2] for row in rows[:5]], [[34, 0], [34, 1], [34, 2], [34, 3], [38, 0]])
        with open(self.path("l.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        self.assertTrue(tuple(struct.unpack("f", struct.pack("f", x))[0] for line in lines for row in line["logits"] for x in row) == values)
        self.assertEqual(len(lines), shape[0])
        self.hcc("predict", "run", "--output", "logits", "--all", "--out", "all.npy")
        self.assertTrue(self.read_npy("all.npy")[1][-len(values):] == values)

    def test_what_cannot_be(self):
        self.table()
        for arguments, said, code in (((), "needs --output", 2), (("--output", "gues"), "did you mean `guess`?", 2),
                                      (("--output", "loss"), "whole batch", 2),
                                      (("--output", "guess", "--out", "x.txt"), "NAME.npy", 2),
                                      (("--output", "guess", "--out", "t.csv"), "does not say that hcc made it", 2),
                                      (("--output", "guess", "--data", "none.csv"), "none.csv", 3)):
            self.assertIn(said, self.hcc("predict", "run", *arguments, code=code).err)
        self.assertFalse(os.path.exists(self.path("x.txt")))
        os.rename(self.path("t.csv"), self.path("data.csv"))
        self.write("t.csv", "somebody's")
        self.hcc("predict", "run", "--data", "data.csv", "--output", "guess", "--out", "t.csv", "--force")
        with open(self.path("t.csv"), encoding="utf-8") as file:
            self.assertNotIn("somebody's", file.read())


class Override(Files):
    def setUp(self):
        super().setUp()
        self.write("text.txt", "the cat sat on the mat " * 3)
        self.write("m.hc", MIXED)
        self.hcc("train", "m.hc", "--data", "text.txt", "--out", "run", "--quiet")

    def losses(self, *overrides, run="run"):
        words = [word for text in overrides for word in ("--override", text)]
        found = json.loads(self.hcc("eval", run, "--json", *words).out)
        return found["val_loss"], found.get("overridden", {}).get("val_loss"), found

    def test_a_spec_without_the_map_has_the_same_loss(self):
        """Of the parameters that are left, those of the run."""
        self.write("without.hc", MIXED.replace("  param M[n, n] ~ normal(1);\n", "").replace(
            "sum[j] M[i, j] * x[j, c]", "x[i, c]"))
        self.hcc("train", "without.hc", "--data", "text.txt", "--from", "run", "--steps", "0", "--out", "without", "--quiet")
        before, after, _ = self.losses("M=identity")
        self.assertEqual(after, self.losses(run="without")[0])
        self.assertNotEqual(after, before)
        self.assertEqual(before, self.losses()[0])

    def test_values(self):
        identity = self.losses("M=identity")[1]
        self.npy("i4.npy", "<f4", [2, 2], [1, 0, 0, 1])
        self.npy("i8.npy", "<f8", [2, 2], [1, 0, 0, 1])
        self.assertEqual([self.losses(f"M={name}")[1] for name in ("i4.npy", "i8.npy")], [identity] * 2)
        self.assertEqual(self.losses("M=zero")[1], self.losses("M=0")[1])
        self.assertEqual(self.losses("*=zero", "M=identity", "E=run:")[1:2],
                         self.losses("M=identity", "extra=0")[1:2])
        self.hcc("train", "m.hc", "--data", "text.txt", "--out", "other", "--quiet", "--seed", "2")
        there = self.losses(run="other")[0]
        self.assertEqual(self.losses("*=other:")[1], there)
        self.assertNotEqual(self.losses("M=other:M")[1], self.losses()[0])
        _, _, found = self.losses("[ME]=zero")
        self.assertEqual(found["overridden"]["tensors"], ["E", "M"])
        self.assertAlmostEqual(found["overridden"]["val_loss"] - found["val_loss"], found["overridden"]["change"])
        # identity of [2, 3] is 1 at two places
        self.npy("ones.npy", "<f8", [2, 3], [1, 0, 0, 0, 1, 0])
        self.assertEqual(self.losses("extra=identity")[1], self.losses("extra=ones.npy")[1])

    def test_each(self):
        text = self.hcc("eval", "run", "--override", "*=zero", "--each").out
        each = json.loads(self.hcc("eval", "run", "--override", "*=zero", "--each", "--json").out)["each"]
        self.assertEqual([one["tensor"] for one in each], ["E", "M", "extra"])
        for one in each:
            self.assertEqual(one["val_loss"], self.losses(f"{one['tensor']}=zero")[1])
            self.assertIn(f"{one['val_loss']:.6f}", text)

    def test_what_cannot_be(self):
        self.npy("three.npy", "<f4", [3], [1, 2, 3])
        self.npy("whole.npy", "<i4", [2, 2], [1, 2, 3, 4])
        self.npy("turned.npy", "<f4", [2, 2], [1, 2, 3, 4], order="True")
        self.npy("short.npy", "<f4", [2, 2], [1, 2, 3])
        self.write("none.npy", "text")
        for text, said, code in (
                ("M", "PATTERN=VALUE", 2), ("M=identitty", "did you mean `identity`", 2), ("N=0", "no parameter `N`", 2),
                ("extr=0", "did you mean `extra`", 2), ("E=identity", "`E` is [256, 2, 4], and `identity` has two", 2),
                ("M=nan", "none of identity", 2), ("M=1e999", "none of identity", 2), ("M=three.npy", "holds [3]", 2),
                ("M=run:E", "holds no `E` of that shape", 2), ("M=nowhere:M", "there is no `nowhere`", 3),
                ("M=whole.npy", "type `<i4`", 3), ("M=turned.npy", "ascontiguousarray", 3), ("M=short.npy", "cut short", 3),
                ("M=none.npy", "no array of NumPy", 3), ("M=missing.npy", "missing.npy", 3)):
            with self.subTest(text):
                self.assertIn(said, self.hcc("eval", "run", "--override", text, code=code).err)
        self.assertIn("--each is of --override", self.hcc("eval", "run", "--each", code=2).err)


harness.main(__name__)
