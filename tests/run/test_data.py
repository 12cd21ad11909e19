#!/usr/bin/env python3
"""Data of samples: IDX and CIFAR-10 pictures, tables. What is read, the order, what is refused."""

import array
import json
import math
import os
import random
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "diff"))
import harness
import library
from harness import hcc

# The loss is what was read: sums over all elements that tell every element's place.
PICTURES = """
model pictures {
  positions (r <= 2, c <= 3);
  input  grid[r, c]     : real;
  input  turned[3, 2]   : real;
  target class          : token(5);
  param s = 1;
  let place = 1 + c + 10 * r;
  let g = mean[r, c] grid * place;
  let t = sum[i, j] turned[i,j] * (1 + j + 10 * i);
  let hot[v < 5] = onehot(class)[v];
  let k = sum[v] hot[v] * (1 + v);
  loss s * (g + 1000 * t + 1000000 * k);
}
train pictures {
  data idx {
    grid[r, c]   = images[r, c] / 4 - 1;
    turned[i, j] = images[j, i];
    class        = labels - 1;
    SETTINGS
  }
  optimizer sgd(lr = 0, weight_decay = 0);
  batch 1; steps 4;
}
"""

LINE = """
model line {
  input  x[3] : real;
  target y    : real;
  param w[3] = 0, b = 0;
  let p = (sum[i] w[i] * x[i]) + b;
  loss   (p - y)^2;
  metric distance(p, y);
}
fn distance(p, y) = abs(p - y);
train line {
  data table { BINDINGS train = "line.csv"; SETTINGS }
  optimizer sgd(lr = 0.05, momentum = 0, weight_decay = 0);
  batch 3; steps STEPS;
}
"""


def idx(code, dims, values):
    formats = {0x08: "B", 0x09: "b", 0x0b: "h", 0x0c: "i", 0x0d: "f", 0x0e: "d"}
    return (bytes([0, 0, code, len(dims)]) + struct.pack(f">{len(dims)}I", *dims)
            + struct.pack(f">{len(values)}{formats[code]}", *values))


class Data(harness.TestCase):
    def train(self, text, *arguments, code=0, out="run"):
        path = self.write("model.hc", text)
        result = hcc("train", path, "--out", self.path(out), "--force", "--precision", "f64", "--batch-log",
                     self.path("batches"), *arguments, cwd=self.folder)
        return self.expect(result, code)

    def losses(self, out="run"):
        with open(self.path(os.path.join(out, "log.jsonl")), encoding="utf-8") as log:
            return [json.loads(line)["loss"] for line in log]

    def batches(self):
        numbers = array.array("q")
        with open(self.path("batches"), "rb") as file:
            numbers.frombytes(file.read())
        return list(numbers)

    def summary(self, out="run"):
        with open(self.path(os.path.join(out, "summary.json")), encoding="utf-8") as file:
            return json.load(file)

    def refused(self, text, expected, *arguments, code=3):
        result = self.train(text, *arguments, code=code, out="refused")
        self.assertIn(expected, result.err)
        self.assertFalse(os.path.exists(self.path("refused")))
        self.assertNotIn("fault", result.err)


class Pictures(Data):
    def loss_of(self, picture, label):
        g = sum((v / 4 - 1) * (1 + k % 3 + 10 * (k // 3)) for k, v in enumerate(picture)) / 6
        t = sum(v * (1 + k // 3 + 10 * (k % 3)) for k, v in enumerate(picture))
        return g + 1000 * t + 1e6 * label

    def check_order(self, pictures, labels, n_train):
        rows = self.batches()
        self.assertEqual(sorted(rows), list(range(n_train)))
        for row, loss in zip(rows, self.losses()):
            self.assertAlmostEqual(loss, self.loss_of(pictures[row], labels[row]), delta=1e-6)
        held = range(n_train, len(pictures))
        mean = sum(self.loss_of(pictures[k], labels[k]) for k in held) / len(held)
        self.assertAlmostEqual(self.summary()["val_loss"], mean, delta=1e-6)
        self.assertEqual(self.summary()["val_windows"], len(held))

    def test_element_types(self):
        random.seed(3)
        for code in (0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e):
            with self.subTest(hex(code)):
                pictures = [[random.randrange(0, 100) for _ in range(6)] for _ in range(6)]
                labels = [random.randrange(1, 6) for _ in range(6)]
                flat = [v for p in pictures for v in p]
                self.write("i", idx(code, [6, 2, 3], flat))
                self.write("l", idx(0x0b if code != 0x08 else 0x08, [6], labels))
                self.train(PICTURES.replace(
                    "SETTINGS", 'train = files(images = "i", labels = "l"); held_out = 0.3;'))
                self.check_order(pictures, labels, 4)

    def test_separate_files_and_standard_names(self):
        random.seed(4)
        pictures = [[random.randrange(0, 256) for _ in range(6)] for _ in range(7)]
        labels = [random.randrange(1, 6) for _ in range(7)]
        os.mkdir(self.path("mnist"))
        for name, part in [("train", slice(0, 4)), ("t10k", slice(4, 7))]:
            n = len(labels[part])
            self.write(f"mnist/{name}-images-idx3-ubyte",
                       idx(8, [n, 2, 3], [v for p in pictures[part] for v in p]))
            self.write(f"mnist/{name}-labels-idx1-ubyte", idx(8, [n], labels[part]))
        self.train(PICTURES.replace("SETTINGS", ""), "--data", "mnist")
        self.check_order(pictures, labels, 4)
        # evaluation needs the held-out files alone
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]:
            os.remove(self.path("mnist/" + name))
        found = json.loads(self.expect(hcc("eval", self.path("run"), "--json")).out)
        self.assertEqual(found["val_loss"], self.summary()["val_loss"])
        # a fraction instead, and each file by name
        shutil.copy(self.path("mnist/t10k-images-idx3-ubyte"), self.path("images"))
        self.train(PICTURES.replace("SETTINGS", "held_out = 0.5;").replace("steps 4", "steps 1"),
                   "--data", "images=images", "--data", "train.labels=mnist/t10k-labels-idx1-ubyte")
        self.assertEqual(self.summary()["val_windows"], 2)

    def test_refused(self):
        def text(images, labels):
            self.write("i", images)
            self.write("l", labels)
            return PICTURES.replace("SETTINGS", 'train = files(images = "i", labels = "l");')
        good, labels = idx(8, [2, 2, 3], range(12)), idx(8, [2], [1, 2])
        for images, expected in [
                (b"", "is empty"),
                (b"\x1f\x8b" + good, "compressed"),
                (b"PK\x03\x04", "compressed: unpack it first (unzip)"),
                (b"PK\x03\x05", "is no IDX file: it begins with 50 4b 03 05"),
                (b"\x00", "is no IDX file"),
                (b"\x00\x00\x07\x03", "is no IDX file"),
                (good[:9], "cut short, within its header"),
                (good[:-1], "cut short: its header promises 2 samples of 6 elements"),
                (good + b"x", "1 bytes more than its header promises"),
                (idx(8, [2, 0, 3], []), "axis 1 has 0 entries"),
                (bytes([0, 0, 8, 0]), "0 axes"),
                (bytes([0, 0, 8, 3]) + b"\xff" * 12, "axis 2 has 4294967295 entries"),
                (bytes([0, 0, 8, 2]) + b"\xff" * 8, "cut short"),
                (bytes([0, 0, 14, 9]) + b"\xff" * 36, "axis"),
                (idx(8, [3, 2, 3], range(18)), "3 samples of `images`, but 2 of `labels`"),
                (idx(8, [2, 6], range(12)), "reads `images` with 2 subscripts, but its samples are 6"),
                (idx(8, [2, 3, 2], range(12)), "asks for entry 2 of axis 2 of `images`"),
                (idx(13, [2, 2, 3], [0.0] * 11 + [math.inf]), "`i`, sample 1: a value for `grid`"),
        ]:
            with self.subTest(expected):
                self.refused(text(images, labels), expected)
        self.refused(text(good, idx(8, [2], [1, 6])), "`l`, sample 1: `class` would be 5, but it must "
                     "be a whole number from 0 to 4")
        self.refused(text(good, idx(14, [2], [1, 1.5])), "would be 0.5")
        self.refused(text(good, idx(8, [0], [])), "of `labels`")
        os.remove(self.path("l"))
        model = PICTURES.replace("SETTINGS", 'train = files(images = "i", labels = "l");')
        self.refused(model, "No such file")
        self.refused(model, "is not a file", "--data", "labels=" + self.folder)
        self.refused(model, "there is no such file, and the data have no `lables`", "--data",
                     "lables=l", code=2)
        self.refused(model, "several files", "--data", "i", code=2)


CIFAR = """
model tiny {
  input  x[32, 32] : real;
  target class     : token(10);
  param s = 1;
  let hot[v < 10] = onehot(class)[v];
  let k = sum[v] hot[v] * v;
  loss s * ((mean[i, j] x[i,j] * (1 + j + 32 * i)) + 1000000 * k);
}
train tiny {
  data cifar10 { x[r, c] = images[2, r, c]; class = labels; }
  optimizer sgd(lr = 0, weight_decay = 0);
  batch 1; steps 10;
}
"""


class Cifar(Data):
    def record(self, seed, label):
        random.seed(seed)
        return bytes([label]) + random.randbytes(3072)

    def test_standard_names(self):
        names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
        records = [self.record(k, k % 10) for k in range(12)]
        for k, name in enumerate(names):
            self.write(name, records[2 * k] + records[2 * k + 1])
        self.train(CIFAR)

        def loss(record):
            blue = record[1 + 2048:]
            return sum(v * (1 + k) for k, v in enumerate(blue)) / 1024 + 1e6 * record[0]
        rows = self.batches()
        self.assertEqual(sorted(rows), list(range(10)))
        for row, found in zip(rows, self.losses()):
            self.assertAlmostEqual(found, loss(records[row]), delta=1e-6)
        self.assertAlmostEqual(self.summary()["val_loss"], (loss(records[10]) + loss(records[11])) / 2,
                               delta=1e-6)

    def test_refused(self):
        for content, expected in [(self.record(1, 1)[:-5], "no multiple of 3073"),
                                  (self.record(1, 1) + self.record(2, 10),
                                   "the label of picture 1 is 10")]:
            self.write("a.bin", content)
            self.refused(CIFAR, expected, "--data", "a.bin", "--data", "held_out=a.bin")
        self.refused(CIFAR, "No such file")


def line_text(bindings=None, settings="", steps=8):
    bindings = bindings or 'x[i] = columns[i]; y = columns[3];'
    return (LINE.replace("BINDINGS", bindings).replace("SETTINGS", settings)
            .replace("STEPS", str(steps)))


class Tables(Data):
    def rows(self, n=10, seed=5):
        random.seed(seed)
        rows = [[random.uniform(-1, 1) for _ in range(3)] for _ in range(n)]
        return [x + [0.3 + x[0] - 2 * x[1]] for x in rows]

    def write_rows(self, rows, name="line.csv", separator=",", header=None, newline="\n"):
        lines = [separator.join(header)] if header else []
        lines += [separator.join(repr(v) for v in row) for row in rows]
        return self.write(name, (newline.join(lines) + newline).encode())

    def simulate(self, train, held_out, order, batch=3, rate=0.05):
        """Losses before each step, and the held-out loss and distance after the last."""
        w, losses = [0.0] * 4, []
        for at in range(0, len(order), batch):
            gradient, loss = [0.0] * 4, 0.0
            for row in (train[k] for k in order[at:at + batch]):
                off = sum(a * b for a, b in zip(w, row[:3])) + w[3] - row[3]
                loss += off * off / batch
                gradient = [g + 2 * off * v / batch for g, v in zip(gradient, row[:3] + [1])]
            losses.append(loss)
            w = [a - rate * g for a, g in zip(w, gradient)]
        offs = [sum(a * b for a, b in zip(w, row[:3])) + w[3] - row[3] for row in held_out]
        return (losses, sum(o * o for o in offs) / len(offs), sum(abs(o) for o in offs) / len(offs))

    def check(self, train, held_out, order=None):
        losses, loss, distance = self.simulate(train, held_out, order or self.batches())
        for a, b in zip(self.losses(), losses):
            self.assertAlmostEqual(a, b, delta=1e-12)
        self.assertAlmostEqual(self.summary()["val_loss"], loss, delta=1e-12)
        self.assertAlmostEqual(self.summary()["val_metrics"]["distance"], distance, delta=1e-12)

    def test_epochs(self):
        rows = self.rows()
        self.write_rows(rows)
        self.train(line_text(settings="held_out = 0.35;"))
        order = self.batches()
        self.assertEqual(len(order), 24)
        epochs = [order[k:k + 6] for k in range(0, 24, 6)]
        for epoch in epochs:
            self.assertEqual(sorted(epoch), list(range(6)))
        self.assertGreater(len({tuple(epoch) for epoch in epochs}), 1)
        self.check(rows[:6], rows[6:])
        first = self.losses()
        self.train(line_text(settings="held_out = 0.35;"), "--seed", "2")
        self.assertNotEqual(order, self.batches())
        self.train(line_text(settings="held_out = 0.35;"), "--seed", "1", "--threads", "1")
        self.assertEqual(first, self.losses())

    def test_orders_are_permutations(self):
        for n in [1, 2, 3, 4, 5, 16, 17, 100, 1000]:
            self.write_rows(self.rows(n + 1))
            self.train(line_text(settings=f"held_out = {1 / (n + 1.5)};", steps=1), "--set",
                       f"train.batch={n}", "--seed", str(n))
            self.assertEqual(sorted(self.batches()), list(range(n)))

    def test_forms(self):
        rows = self.rows()
        header = ["a", "b c", "\"d,e\"", "y"]
        self.write_rows(rows)
        text = line_text(settings="held_out = 0.35;")
        self.train(text)
        expected = self.losses()
        for separator, newline, names, settings in [
                (",", "\r\n", None, ""), ("\t", "\n", ["a", "b", "c", "d"], ""), (";", "\n", None, ""),
                (" ", "\n", None, ""), ("   ", "\n", None, ""), (" , ", "\n", None, ""),
                (",", "\n\n", None, ""), (",", "\n", header, ""), (",", "\n", header, "header = true;"),
                (",", "\n", None, "header = false;"), (":", "\n", None, 'separator = ":";'),
                (",", "\n", ["1", "2", "3", "4"], "header = true;"),
                (",", "\n# remark\n", None, ""), (",", "\n", ["two", "lines\nof,text"], "skip = 2;")]:
            with self.subTest((separator, newline, names, settings)):
                self.write_rows(rows, separator=separator, newline=newline, header=names)
                self.train(text.replace("held_out", settings + " held_out"))
                self.assertEqual(self.losses(), expected)
        with open(self.path("line.csv"), "rb") as file:
            content = file.read()
        self.write("line.csv", b"\xef\xbb\xbf" + content.rstrip(b"\n"))
        self.train(text.replace("held_out", "skip = 2; held_out"))
        self.assertEqual(self.losses(), expected)

    def test_numbers(self):
        written = ["12", "-0.5", "+.25", "7.", "1e3", "-2.5E-3", "0.1", "123456789012345678901234567890",
                   "1.7976931348623157e308", "4.9e-324", "0.30000000000000004", "1e-400", "00012",
                   "3.14159265358979323846264338327950288"]
        model = """
            model numbers { input x : real; param s = 0; loss x + s * s; }
            train numbers { data table { x = columns[0]; train = "n"; header = false; }
                            optimizer sgd(lr = 0, weight_decay = 0); batch 1; steps %d; }""" % len(written)
        self.write("n", "\n".join(written))
        self.train(model)
        for row, loss in zip(self.batches(), self.losses()):
            self.assertEqual(loss, float(written[row]), written[row])

    def test_columns_by_name(self):
        rows = self.rows()
        self.write_rows([[r[3], 9, *r[:3]] for r in rows], header=["y", "none", "x1", "x2", "x3"])
        self.train(line_text('x[i] = columns["x1" + i]; y = columns["y"];', "held_out = 0.35;"))
        self.check(rows[:6], rows[6:])
        self.train(line_text('x[i] = columns["x3" - 2 + i]; y = -columns["y"] * 2 + 3;',
                             "held_out = 0.35;"))
        changed = [r[:3] + [3 - 2 * r[3]] for r in rows]
        self.check(changed[:6], changed[6:])
        self.refused(line_text('x[i] = columns["x" + i]; y = columns["y"];'),
                     "no column `x` (its columns: y, none, x1, x2, x3)")
        self.refused(line_text('x[i] = columns["x2" + i]; y = columns["y"];'),
                     "input `x` asks for entry 5 of axis 1 of `columns`")
        self.refused(line_text('x = columns; y = columns["y"];'),
                     "filled from all of `columns`, whose samples are 5")
        self.write_rows(rows, header=["a", "b", "a", "y"])
        self.refused(line_text('x[i] = columns["a" + i]; y = columns["y"];'), "several columns `a`")
        self.write_rows(rows)
        self.refused(line_text('x[i] = columns["a" + i]; y = columns["y"];'), "not a header")

    def test_shuffled_part_is_the_same_for_every_seed(self):
        rows = self.rows(40)
        self.write_rows(rows)
        parts = []
        for seed in ["1", "2"]:
            self.train(line_text(settings="held_out = shuffled(0.25);", steps=10), "--seed", seed)
            train = sorted(set(self.batches()))
            self.assertEqual(len(train), 30)
            self.assertNotEqual(train, list(range(30)))
            held_out = [rows[k] for k in range(40) if k not in train]
            self.check(rows, held_out)
            parts.append(train)
        self.assertEqual(parts[0], parts[1])

    def test_standardise(self):
        rows = [[100 + 5 * r[0], 7.0, r[2], r[3]] for r in self.rows()]
        self.write_rows(rows)
        self.train(line_text('x[i] = standardise(columns[i]); y = 2 * standardise(columns[3]) + 1;',
                             "held_out = 0.35;"))
        scaled = []
        for k in range(4):
            column = [r[k] for r in rows[:6]]
            mean = sum(column) / 6
            deviation = math.sqrt(sum((v - mean) ** 2 for v in column) / 6)
            scaled.append([(r[k] - mean) / deviation if deviation else 0 for r in rows])
        changed = [[*r[:3], 2 * r[3] + 1] for r in map(list, zip(*scaled))]
        self.check(changed[:6], changed[6:])
        # eval keeps to what training saw, whatever it is given
        run = self.path("run")
        self.write_rows([[0, 0, 0, 0]] * 5 + rows[6:8], name="other.csv")
        found = json.loads(self.expect(hcc("eval", run, "--json", "--data",
                                           self.path("other.csv"))).out)
        order = self.batches()
        _, loss, _ = self.simulate(changed[:6], [changed[6], changed[7]], order)
        zero = [(0 - m) / d if d else 0 for m, d in self.statistics(rows)]
        zero[3] = 2 * zero[3] + 1
        _, other, _ = self.simulate(changed[:6], [zero], order)
        # 35 % of 7 rows are the last 3: one of zeros
        self.assertEqual(found["val_windows"], 3)
        self.assertAlmostEqual(found["val_loss"], (2 * loss + other) / 3, delta=1e-12)

    def statistics(self, rows):
        for k in range(4):
            column = [r[k] for r in rows[:6]]
            mean = sum(column) / 6
            yield mean, math.sqrt(sum((v - mean) ** 2 for v in column) / 6)

    def test_files(self):
        rows = self.rows(13)
        self.write_rows(rows[:4], "a.csv", header=["a", "b", "c", "d"])
        self.write_rows(rows[4:9], "b.csv", header=["a", "b", "c", "d"])
        self.write_rows(rows[9:], "c.csv")
        text = line_text(settings='held_out = files("c.csv");').replace(
            '"line.csv"', 'files("a.csv", "b.csv")')
        self.train(text)
        self.check(rows[:9], rows[9:])
        self.assertEqual(json.loads(self.expect(hcc("eval", self.path("run"), "--json")).out)
                         ["val_loss"], self.summary()["val_loss"])
        # the held-out file alone is enough; another takes its place
        os.rename(self.path("a.csv"), self.path("gone.csv"))
        self.expect(hcc("eval", self.path("run")))
        self.write_rows(rows[9:10], "d.csv")
        for given in ["d.csv", "held_out=d.csv"]:
            found = json.loads(self.expect(hcc("eval", self.path("run"), "--json", "--data", given,
                                               cwd=self.folder)).out)
            self.assertEqual(found["val_windows"], 1)
        self.refused(text, "`a.csv`: No such file")
        # --data takes the place of what the file names
        self.train(text, "--data", "train=gone.csv", "--data", "train=b.csv")
        self.check(rows[:9], rows[9:])
        self.train(text, "--data", "gone.csv", "--data", "held_out=b.csv")
        self.check(rows[:4], rows[4:9])
        os.mkdir(self.path("elsewhere"))
        os.rename(self.path("gone.csv"), self.path("elsewhere/a.csv"))
        for name in ["b.csv", "c.csv"]:
            os.rename(self.path(name), self.path("elsewhere/" + name))
        self.train(text, "--data", "elsewhere")
        self.check(rows[:9], rows[9:])

    def test_refused(self):
        good = "1,2,3,4\n5,6,7,8\n"
        for content, expected in [
                ("1,2,3,4\n5,6,7\n", "`line.csv`, line 2 has 3 columns, but those before it have 4"),
                ("1,2,3,4\n5,6,7,8,9\n", "line 2 has 5 columns"),
                ("a,b,c,d\n1,2,3\n", "line 2 has 3 columns"),
                ("a,b,c,d\n\n1,x,3,4\n", "line 3, column 2 (`b`): `x` is not a number"),
                ("1,2,3,4\n1,2,,4\n", "line 2, column 3 is empty"),
                ("1,2,3,4\n1,2,3,\n", "line 2, column 4 is empty"),
                ("1,2,3,4\n1,2,3,nan\n", "`nan` is not a number"),
                ("1,2,3,4\n1,2,3,1e999\n", "`1e999` is not a number"),
                ("1,2,3,4\n1,2,3,0x10\n", "`0x10` is not a number"),
                ("1,2,3,4\n1,2,3,5e\n", "`5e` is not a number"),
                ("1,2,3,4\n1,2,3,-\n", "`-` is not a number"),
                ("1,2,3,4\n1,2,3,\"4\n", "line 2, column 4: a quote is opened and not closed"),
                ("1,NA,3,4\n5,6,7,8\n", "line 1, column 2: `NA` is not a number, and a line that is "
                 "partly numbers"),
                ("1,2,3,4\n5,6,7,1e39\n", None),  # in f64
                ("1,2,3,4\n1,2,\0,4\n", "is not a number"),
                ("a,b,c,d\n", "has no row of numbers"),
                ("\n\n# nothing\n", "has no row of numbers"),
                ("1,2,3\n", "asks for entry 3 of axis 1 of `columns`, whose samples are 3"),
                ("1,2,3,4\n1,2,3," + "9" * 500 + "\n", "is not a number")]:
            with self.subTest(content):
                self.write("line.csv", content.encode())
                if expected:
                    self.refused(line_text(), expected)
                else:
                    self.train(line_text(steps=1))
        self.write("line.csv", "1,2,3,4\n")
        self.refused(line_text(settings="held_out = 0.5;"), "of 1 samples none are left to train on")
        tokens = line_text().replace("target y    : real", "target y : token(8)").replace(
            "loss   (p - y)^2", "let hot[v < 8] = onehot(y)[v]; loss (p - sum[v] hot[v] * v)^2"
        ).replace("metric distance(p, y);", "")
        self.write("line.csv", good)
        self.refused(tokens, "`line.csv`, line 2: `y` would be 8, but it must be a whole number from "
                     "0 to 7")
        self.write("line.csv", "1,2,3,0.5\n")
        self.refused(tokens, "would be 0.5")
        self.write("line.csv", "1,2,3,-1\n")
        self.refused(tokens, "would be -1")
        text = line_text().replace('train = "line.csv";', "")
        self.assertIn("--data", self.train(text, code=2).err)
        self.refused(text, "No such file", "--data", "nowhere.csv")

    def test_a_library_trains_to_the_same_bits(self):
        """Real inputs through the C interface, in the order of --batch-log."""
        if not harness.loads_libraries():
            self.skipTest("this Python cannot load the address sanitizer")
        rows = self.rows()
        self.write_rows(rows)
        self.train(line_text(settings="held_out = 0.35;"))
        self.expect(hcc("build", self.path("model.hc"), "-o", self.path("line.so"), "--precision", "f64"))
        order = self.batches()
        with library.Model(self.path("line.so"), samples=3) as model:
            model.init(1)
            for at, expected in zip(range(0, len(order), 3), self.losses()):
                batch = [rows[k] for k in order[at:at + 3]]
                model.set_input("x", [v for row in batch for v in row[:3]])
                model.set_input("y", [row[3] for row in batch])
                self.assertEqual(model.forward(), expected)
                model.backward()
                model.step()

    def test_bench(self):
        self.write("model.hc", line_text())
        self.expect(hcc("bench", self.path("model.hc"), "--steps", "2"))
        self.write("model.hc", PICTURES.replace("SETTINGS", ""))
        self.expect(hcc("bench", self.path("model.hc"), "--steps", "2"))

    def test_the_regression_example(self):
        """It learns what there is to learn of a table like its own: half of the variance is noise."""
        random.seed(9)
        names = ["age", "sex", "bmi", "bp", *(f"s{k}" for k in range(1, 7)), "target"]
        rows = []
        for _ in range(400):
            x = [random.gauss(50, 12) for _ in range(10)]
            rows.append(x + [100 + x[2] - x[7] + random.gauss(0, 17)])
        self.write_rows(rows, name="diabetes.csv", header=names)
        file = os.path.join(harness.ROOT, "examples", "regression.hc")
        self.expect(hcc("train", file, "--data", self.folder, "--out", self.path("run"), "--set",
                        "train.steps=200"))
        summary = self.summary()
        self.assertEqual(summary["val_windows"], 100)
        self.assertLess(summary["val_loss"], 0.8)
        self.assertGreater(summary["val_loss"], 0.2)

    def test_an_executable(self):
        rows = self.rows()
        self.write_rows(rows)
        self.train(line_text(settings="held_out = 0.35;"))
        program = self.path("program")
        self.expect(hcc("build", self.path("model.hc"), "-o", program, "--precision", "f64"))
        self.expect(harness.run([program, "train", "--data", "line.csv", "--out", "own"],
                                cwd=self.folder))
        self.assertEqual(self.losses("own"), self.losses())
        result = self.expect(harness.run([program, "eval", "own"], cwd=self.folder))
        self.assertIn("distance", result.out)
        self.assertIn("4 samples", result.out)


BYTES = """
model bytes {
  positions t <= 8;
  input  now[t]  : token(256);
  target next[t] : token(256);
  param W[256, 256] = 0;
  loss cross_entropy(embed(now, W), next);
}
train bytes {
  data text { now[t] = bytes[t]; next[t] = bytes[t + 1]; SETTINGS held_out = 0.5; }
  batch 2; steps 2;
}
"""


class Runs(Data):
    """What a run has read, and what is read later."""

    def eval(self, *arguments, code=0, cwd=None, run="run"):
        return self.expect(hcc("eval", self.path(run), *arguments, cwd=cwd or self.folder), code)

    def test_text_that_has_changed(self):
        text = BYTES.replace("SETTINGS", "")
        os.mkdir(self.path("d"))
        self.write("d/a", "one two three four\n" * 9)
        self.write("other", "seven eight nine ten\n" * 4)
        self.train(text, "--data", "d")
        loss = self.eval().out
        for name, content in [("d/b", "more\n"), ("d/a", "one two three five\n" * 9)]:
            before = open(self.path(name)).read() if name == "d/a" else None
            self.write(name, content)
            self.assertIn("have changed since the run: `", self.eval(code=3).err)
            self.assertIn("warning: the data have changed", self.eval("--changed-data").err)
            if before is None:
                os.remove(self.path(name))
            else:
                self.write(name, before)
        self.assertEqual(self.eval().out, loss)
        self.write("d/a", "")
        # what the command line gives is not compared: half of it, or all
        self.assertIn("over 5 windows", self.eval("--data", "other").out)
        self.assertIn("over 10 windows", self.eval("--data", "held_out=other").out)
        self.assertIn("is empty", self.eval(code=3).err)

    def test_several_texts(self):
        """Those of a part are one text, in their order; what is held out may be a text of its own."""
        text = BYTES.replace("SETTINGS", "")
        for name, words in [("a", "one two three\n"), ("b", "four five\n"), ("c", "six seven\n")]:
            self.write(name, words * 4)
        self.write("ab", open(self.path("a")).read() + open(self.path("b")).read())
        self.train(text, "--data", "ab", "--data", "held_out=c")
        expected, found = self.losses(), self.summary()["val_loss"]
        for given in [["a", "b", "held_out=c"], ["held_out=c", "train=a", "train=b"]]:
            self.train(text, *[word for one in given for word in ("--data", one)])
            self.assertEqual((self.losses(), self.summary()["val_loss"]), (expected, found))
        self.train(BYTES.replace("SETTINGS", 'train = files("a", "b");').replace("0.5", '"c"'))
        self.assertEqual((self.losses(), self.summary()["val_loss"]), (expected, found))
        with open(self.path("run/config.json"), encoding="utf-8") as file:
            data = json.load(file)["data"]
        self.assertEqual([data["bytes"], data["train_bytes"], data["held_out_bytes"]], [136, 96, 40])
        self.assertEqual(data["files"], ["train=" + self.path("a"), "train=" + self.path("b"),
                                         "held_out=" + self.path("c")])
        resume = ["train", "--resume", self.path("run"), "--steps"]
        self.expect(hcc(*resume, "3", cwd=self.folder))
        for given, said in [(["b", "a", "held_out=c"], "--data names files that are not"),
                            (["a", "held_out=b"], "--data names files that are not")]:
            result = hcc(*resume, "4", *[word for one in given for word in ("--data", one)],
                         cwd=self.folder)
            self.assertIn(said, self.expect(result, 3).err)
        self.write("a", "ONE two three\n" * 4)
        self.assertIn("a` is not what the run read",
                      self.expect(hcc(*resume, "4", cwd=self.folder), 3).err)
        self.eval()  # reads what is held out alone
        self.write("c", "six eight\n" * 4)
        self.assertIn("c` is not what the run read", self.eval(code=3).err)
        self.assertIn("over 6 windows", self.eval("--data", "a").out)
        self.refused(text, "the data (`ab` and 1 more) are too short: a window of 8 positions needs 9 "
                     "bytes, and the held-out part has 3 (of 99 in all)", "--data", "ab", "--data",
                     "held_out=" + self.write("short", "now"))

    def test_samples_that_have_changed(self):
        row, standard = "1,2,3,4\n", "x[i] = standardise(columns[i]); y = columns[3];"
        self.write("a.csv", row + "2,3,4,5\n")
        self.write("h.csv", row)
        self.train(line_text(standard, 'held_out = "h.csv";'), "--data", "a.csv")
        loss = self.eval().out
        self.write("a.csv", "5,5,5,5\n")  # its means and deviations are known
        self.assertEqual(self.eval().out, loss)
        self.write("h.csv", "1,2,3,5\n")
        self.assertIn("h.csv` is not what the run read", self.eval(code=3).err)
        self.assertIn("warning:", self.eval("--changed-data").err)
        self.write("new.csv", row * 3)
        for given in ["new.csv", "held_out=new.csv"]:
            result = self.eval("--data", given)
            self.assertIn("over 3 samples", result.out)
            self.assertEqual(result.err, "")
        # of a fraction, all is one file
        self.write("line.csv", row * 4)
        self.train(line_text(settings="held_out = shuffled(0.5);"))
        self.eval()
        self.write("line.csv", row * 3 + "0,0,0,0\n")
        self.assertIn("line.csv` is not what", self.eval(code=3).err)
        self.assertIn("over 3 samples", self.eval("--data", "held_out=new.csv").out)

    def test_columns_by_number_are_those_of_the_training_file(self):
        self.write("a.csv", "u,v,w,y\n1,2,3,4\n5,6,7,8\n")
        self.write("h.csv", "y,w,v,u\n0,0,9,0\n")
        text = line_text("x[i] = columns[i]; y = columns[1];", 'held_out = "h.csv";')
        result = self.train(text, "--data", "a.csv", "--set", "train.lr=0")
        self.assertIn("`a.csv`: line 1 names the columns: u, v, w, y", result.err)
        self.assertEqual(self.summary()["val_loss"], 81)
        self.assertEqual(json.loads(self.eval("--json").out)["val_loss"], 81)

    def test_no_text(self):
        text = BYTES.replace("SETTINGS", "")
        self.write("tokens.bin", b"\x01\x00\xff\x10" * 20)
        self.refused(text, "is binary: it holds a zero byte", "--data", "tokens.bin")
        self.train(text, "--data", "tokens.bin", "--data-is-bytes")
        self.eval()  # as it was trained
        self.write("a.txt", "one two three four\n" * 9)
        self.refused(text, "training needs data", "--data", "held_out=a.txt", code=2)
        # a folder that holds the run itself, and what the tests write
        first = self.train(text, "--data", ".", out="runs/one")
        second = self.train(text, "--data", ".", out="runs/two")
        self.assertIn("`.`: passed over 4 that are no text, such as `./batches`", second.err)
        self.assertNotIn("runs", first.err)
        hashes = [json.load(open(self.path(f"runs/{k}/config.json")))["data"]["xxh3"]
                  for k in ["one", "two"]]
        self.assertEqual(*hashes)
        self.refused(text, "is the folder of a run", "--data", "runs/one")

    def test_names_begin_at_the_file_that_names_them(self):
        os.makedirs(self.path("models/data"))
        os.mkdir(self.path("elsewhere"))
        self.write("models/data/line.csv", "1,2,3,4\n" * 4)
        self.write("models/m.hc", line_text(settings="held_out = 0.5;").replace(
            '"line.csv"', '"data/line.csv"'))
        self.write("models/data/a.txt", "one two three four\n" * 9)
        self.write("models/t.hc", BYTES.replace("SETTINGS", 'train = "data";'))
        for name in ["m", "t"]:
            for file, cwd in [(f"models/{name}.hc", self.folder), (f"../models/{name}.hc",
                                                                   self.path("elsewhere")),
                              (f"{name}.hc", self.path("models"))]:
                self.expect(hcc("train", file, "--out", self.path("run"), "--force", cwd=cwd))
            self.eval(cwd=self.path("elsewhere"))
        self.write("elsewhere/line.csv", "1,2,3,4\n" * 2)
        os.rename(self.path("models/data"), self.path("models/gone"))
        result = self.expect(hcc("train", "models/m.hc", "--out", self.path("no"),
                                 cwd=self.folder), 3)
        self.assertIn("cannot read data `models/data/line.csv`", result.err)

    def test_two_folders(self):
        os.mkdir(self.path("p"))
        os.mkdir(self.path("q"))
        self.refused(line_text(), "--data names two folders, `p` and `q`", "--data", "p", "--data",
                     "q", code=2)

    def test_an_executable(self):
        self.write("model.hc", BYTES.replace("SETTINGS", ""))
        program = self.path("program")
        self.expect(hcc("build", self.path("model.hc"), "-o", program))
        self.write("t", b"\0one two three four\n" * 9)

        def run(*arguments, code=0):
            return self.expect(harness.run([program, *arguments], cwd=self.folder), code)
        self.assertIn("zero byte", run("train", "--data", "t", code=3).err)
        run("train", "--data", "t", "--data-is-bytes", "--out", "own")
        self.write("t", "one two three four\n" * 9)
        self.assertIn("have changed", run("eval", "own", code=3).err)
        run("eval", "own", "--changed-data")
        run("eval", "own", "--data", "held_out=t")
        self.assertIn("for a run that goes on", run("train", "--changed-data", code=2).err)


TOKENS = """
model follow {
  const vocab = 4;
  positions t <= 3;
  input  now[t]  : token(vocab);
  target next[t] : token(vocab);
  param W[vocab, vocab] = 0;
  let logits = embed(now, W);
  loss cross_entropy(logits, next);
}
train follow {
  data table { now[t] = columns[t]; next[t] = columns[t + 1]; train = "line.csv"; }
  batch 1; steps 1;
}
"""


class Sampling(Data):
    def test_begins_within_the_vocabulary(self):
        self.write("line.csv", "0,1,2,3\n")
        for vocab, code in [(4, 2), (10, 2), (11, 0), (256, 0)]:
            self.train(TOKENS, "--set", f"vocab={vocab}")
            result = self.expect(hcc("sample", self.path("run"), "--length", "2"), code)
            if code:
                self.assertIn(f"outside the model's vocabulary of {vocab}: give --prompt", result.err)
            self.expect(hcc("sample", self.path("run"), "--length", "2", "--prompt", "\1\2"))


if __name__ == "__main__":
    harness.main(__name__)
