#!/usr/bin/env python3
"""Token files: every format trains as the text it came from; what is refused; runs that read them."""

import json
import os
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

MODEL = """
model m {
  positions t <= 8;
  input  now[t]  : token(VOCAB);
  target next[t] : token(VOCAB);
  param E[VOCAB, 4] ~ normal(0.5);
  let x = embed(now, E);
  let logits[v] = sum[c] E[v,c] * x[c];
  loss cross_entropy(logits, next);
}
train m {
  data SOURCE { now[t] = STREAM[t]; next[t] = STREAM[t + 1]; SETTINGS }
  optimizer sgd(lr = 1);
  batch 3; steps 4;
}
"""
FORMATS = {"u1": "B", "u2": "H", "u4": "I", "i1": "b", "i2": "h", "i4": "i", "i8": "q"}


def model(source="tokens", settings="held_out = 0.25;", vocab=256):
    stream = "bytes" if source == "text" else "tokens"
    return (MODEL.replace("SOURCE", source).replace("STREAM", stream).replace("SETTINGS", settings)
            .replace("VOCAB", str(vocab)))


def raw(values, kind="u2"):
    return struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)


def shard(values, magic=20240520, version=1, count=None, kind="u2"):
    head = [magic, version, len(values) if count is None else count] + [0] * 253
    return struct.pack("<256i", *head) + raw(values, kind)


def npy(values, kind="u2", version=1, shape=None, type_of=None, order="False", header=None):
    """As NumPy writes it: padded to a multiple of 64."""
    if header is None:
        header = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (
            type_of or ("|" if kind[1] == "1" else "<") + kind, order, shape or f"({len(values)},)")
    before = 10 if version == 1 else 12
    header += " " * (-(before + len(header) + 1) % 64) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + raw(values, kind)


class Tokens(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        draw = random.Random(4)
        cls.text = bytes(draw.choice(b"etaoin shrdlu\n") for _ in range(400))
        cls.values = list(cls.text)

    def train(self, text, *arguments, code=0, out="run"):
        path = self.write("model.hc", text)
        return self.expect(hcc("train", path, "--out", self.path(out), "--force", *arguments,
                               cwd=self.folder), code)

    def eval(self, *arguments, code=0):
        return self.expect(hcc("eval", self.path("run"), *arguments, cwd=self.folder), code)

    def read(self, name):
        with open(self.path("run/" + name), encoding="utf-8") as file:
            return [json.loads(line) for line in file] if name.endswith("l") else json.load(file)

    def losses(self):
        return [line["loss"] for line in self.read("log.jsonl")] + [self.read("summary.json")["val_loss"]]

    def test_every_format_trains_as_its_text(self):
        """A piece of the text in each, one after another; and the other way round."""
        settings = "held_out = 0.7;"
        self.write("a.txt", self.text)
        self.train(model("text", settings), "--data", "a.txt")
        expected = self.losses()
        self.assertEqual(len(set(expected)), 5)
        plain = [raw, shard, lambda v: shard(v, 20240801, 7, kind="u4"), lambda v: npy(v, version=2),
                 lambda v: npy(v, "i8", 3), lambda v: npy(v, order="True"),
                 lambda v: npy(v, header='{"shape":(%d,),"descr":"<u2","fortran_order":False}' % len(v)),
                 *[lambda v, kind=kind: npy(v, kind) for kind in FORMATS]]
        wide = [lambda v: raw(v, "u4"), shard, lambda v: npy(v, "u2")]
        for forms, width in [(plain, ""), (plain[::-1], "width = 16;"), (wide, "width = 32;")]:
            with self.subTest(width):
                size, given = len(self.values) // len(forms) + 1, []
                for k, form in enumerate(forms):
                    self.write(f"{k}", form(self.values[k * size:(k + 1) * size]))
                    given += ["--data", f"{k}"]
                self.train(model(settings=width + settings), *given)
                self.assertEqual(self.losses(), expected)

    def test_shards_are_one_sequence(self):
        self.write("a.bin", raw(self.values))
        self.write("v.bin", raw(self.values[:90]))
        own = 'train = "a.bin"; held_out = "v.bin";'
        self.train(model(settings=own))
        expected = self.losses()
        os.mkdir(self.path("d"))
        parts = [self.values[:3], self.values[3:200], self.values[200:206], self.values[206:]]
        for k, (part, form) in enumerate(zip(parts, [shard, npy, raw, shard])):
            self.write(f"d/{k}", form(part))
        given = [word for k in range(4) for word in ("--data", f"d/{k}")]
        self.train(model(settings=own), *given)
        self.assertEqual(self.losses(), expected)
        data = self.read("config.json")["data"]
        self.assertEqual([data["tokens"], data["train_tokens"], data["held_out_tokens"]], [490, 400, 90])
        self.assertEqual(len(data["files"]), 5)
        os.rename(self.path("a.bin"), self.path("d/a.bin"))
        os.rename(self.path("v.bin"), self.path("d/v.bin"))
        self.train(model(settings=own), "--data", "d")
        self.assertEqual(self.losses(), expected)

    def test_a_pattern_is_all_files_it_matches(self):
        """More of them than may be open at once."""
        own = 'train = "%s"; held_out = "v.bin";'
        values = self.values * (8 if harness.EVERYTHING else 1)
        self.write("a.bin", raw(values))
        self.write("v.bin", raw(self.values[:90]))
        self.train(model(settings=own % "a.bin"))
        expected = self.losses()
        os.mkdir(self.path("s"))
        for k in range(0, len(values), 2):
            self.write(f"s/{k:06d}.bin", raw(values[k:k + 2]))
        self.write("s/[1]*.bin", raw([1]))  # its very name is not a pattern
        for data, pattern in (((), "s/0*.bin"), (("--data", "s/0*.bin"), "a.bin"), (("--data", "train=s/00????.bin"), "a.bin")):
            self.write("model.hc", model(settings=own % pattern))
            words = ["train", "model.hc", "--out", "run", "--force", *data]
            self.expect(harness.run(["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh", harness.hcc_path(), *words],
                                    cwd=self.folder))
            self.assertEqual(self.losses(), expected)
        self.assertEqual(len(self.read("config.json")["data"]["files"]), len(values) // 2 + 1)
        self.eval()
        self.train(model(settings=own % "s/[1]*.bin"), code=3)
        self.assertIn("no file is called so", self.train(model(settings=own % "s/none*.bin"), code=3).err)
        self.assertIn("no file is called so", self.train(model(), "--data", "none*.bin", code=3).err)

    def test_refused(self):
        good, v = self.values, list(range(100))
        self.write("model.hc", model(vocab=128))
        program = self.path("program")
        self.expect(hcc("build", self.path("model.hc"), "-o", program))
        self.write("wide.hc", model(vocab=128, settings="width = 32;"))
        wide = self.path("wide")
        self.expect(hcc("build", self.path("wide.hc"), "-o", wide))
        header = "{'descr': '<u2', 'fortran_order': False, 'shape': (100,)}"
        for content, expected, name, *by in [
                (b"", "data `f` is empty", "f"),
                (raw(good)[:-1], "`f` has 799 bytes, which are no whole number of tokens of 16 bits", "f"),
                (raw(v + [128]), "`f`: token 100 is 128, outside the model's vocabulary of 128", "f"),
                (raw([65535] + v), "token 0 is 65535", "f"),
                (raw(good * 11 + [200]), "token 4400 is 200", "f"),
                (raw(good, "u4"), "every second token of `f` is 0, as if they had 32 bits", "f"),
                (raw(good), "(have its tokens 16 bits? `width = 16;`)", "f", wide),
                (self.text, "`f` looks like text, which holds no tokens yet", "f"),
                (b"\x1f\x8b\x08\x00" + raw(good), "outside the model's vocabulary of 128 (the file is "
                 "compressed: unpack it first (gunzip))", "f"),
                (shard(v)[:700], "`f` is cut short, within its header of 1024 bytes", "f"),
                (shard(v)[:4], "cut short, within its header", "f"),
                (shard(v)[:-1], "`f` is cut short: its header promises 100 tokens of 16 bits, and 99 are", "f"),
                (shard(v) + b"x", "`f` has 1 bytes more than the 100 tokens of 16 bits", "f"),
                (shard(v, count=-1), "promises -1 tokens", "f"),
                (shard([]), "holds no tokens", "f"),
                (shard(v, version=2), "begins with llm.c's number 20240520, but has version 2: read is 1", "f"),
                (shard(v, 20240801, 7), "its header promises 100 tokens of 32 bits, and 50 are there", "f"),
                (shard(v, 20240522), "holds questions to evaluate with", "f"),
                (shard([3, 127, 128]), "token 2 is 128", "f"),
                (npy(v)[:9], "cut short, within its header", "f"), (npy(v)[:60], "cut short, within", "f"),
                (npy(v)[:-1], "is cut short: its header promises 100", "f"),
                (npy(v) + b"xy", "2 bytes more", "f"),
                (raw(v), "`f.npy` is no array of NumPy, whatever its name says", "f.npy"),
                (npy(v, version=4), "in version 4, and 1 to 3 are read", "f"),
                (npy(v, "i4")[:-400] + raw([-1] * 100, "i4"), "token 0 is -1, outside", "f"),
                (npy(v, "i8")[:-8] + raw([1 << 40], "i8"), "token 99 is 1099511627776, outside", "f"),
                (npy(v, type_of=">u2"), "highest byte first", "f"),
                (npy(v, type_of="<f4"), "holds numbers of type `<f4`", "f"),
                (npy(v, type_of="<u8"), "holds numbers of type `<u8`", "f"),
                (npy(v, type_of="<u\\0"), "holds numbers of type `<u\\0`", "f"),
                (npy(v, shape="(10, 10)"), "has 2 axes: tokens are one sequence", "f"),
                (npy(v, shape="()"), "has 0 axes", "f"), (npy(v, shape="(99999999999999999999,)"), "is none", "f"),
                (npy(v, shape="(4611686018427387904,)"), "is none", "f"),
                (npy(v, header=header[:-1]), "its header is none", "f"),
                (npy(v, header=header.replace("'shape'", "'size'")), "its header is none", "f"),
                (npy(v, header="{'descr': [('a', '<u2')], 'x': 1}"), "holds records", "f"),
                (npy(v, header=header + " " * 4100), "has a header of", "f")]:
            with self.subTest(expected):
                self.write(name, content)
                result = harness.run([*(by or [program]), "train", "--data", name, "--out", self.path("no")],
                                     cwd=self.folder)
                self.assertIn(expected, self.expect(result, 3).err)
        for given, expected in [("nowhere", "No such file"), (".", None), ("train=.", "`.` is not a file")]:
            result = harness.run([program, "train", "--data", given], cwd=self.folder)
            self.assertIn(expected or "training needs data", self.expect(result, 3 if expected else 2).err)
        self.write("f", raw(v[:20]))
        result = harness.run([program, "train", "--data", "f"], cwd=self.folder)
        self.assertIn("the data (`f`) are too short: a window of 8 positions needs 9 tokens, and the "
                      "held-out part has 5 (of 20 in all)", self.expect(result, 3).err)
        self.assertFalse(os.path.exists(self.path("no")))

    def test_what_it_seems_can_be_overruled(self):
        told = model(settings="width = 16; held_out = 0.25;", vocab=30100)
        for content in (raw(self.values, "u4"), self.text):
            self.write("f", content)
            self.assertIn("width = 16;", self.train(told.replace("width = 16;", ""), "--data", "f", code=3).err)
            self.train(told, "--data", "f", "--set", "train.steps=1")

    def test_a_run_goes_on_with_the_same_tokens(self):
        self.write("a.bin", raw(self.values))
        self.train(model(), "--data", "a.bin", "--set", "train.steps=6")
        whole = self.losses()
        self.train(model(), "--data", "a.bin", "--set", "train.steps=3")
        resume = ["train", "--resume", self.path("run"), "--steps", "6"]
        changed = [*self.values[:-1], 7]
        self.write("a.bin", raw(changed))
        for command in [resume, ["eval", self.path("run")]]:
            self.assertIn("a.bin` is not what the run read", self.expect(hcc(*command), 3).err)
        self.assertIn("warning: the data have changed", self.eval("--changed-data").err)
        self.write("a.bin", raw(self.values))
        self.expect(hcc(*resume))
        self.assertEqual(self.losses(), whole)
        self.write("b.bin", shard(self.values[:100]))
        self.assertIn("over 12 windows", self.eval("--data", "held_out=b.bin").out)

    def test_a_file_cut_short_under_a_run(self):
        path = self.write("a.bin", raw(self.values))
        self.write("model.hc", model(settings=""))
        with open(self.path("err"), "w", encoding="utf-8") as err:
            run = subprocess.Popen([harness.hcc_path(), "train", self.path("model.hc"), "--data", path, "--out",
                                    self.path("run"), "--set", "train.steps=100000000"], stderr=err,
                                   stdout=subprocess.DEVNULL, env=harness.environment())
            try:
                while not os.path.exists(self.path("run/log.jsonl")) and run.poll() is None:
                    time.sleep(0.005)
                os.truncate(path, 100)
                self.assertEqual(run.wait(timeout=60), 3)
            finally:
                run.kill()
        with open(self.path("err"), encoding="utf-8") as err:
            self.assertIn("a.bin` was cut short while it is read", err.read())


if __name__ == "__main__":
    harness.main(__name__)
