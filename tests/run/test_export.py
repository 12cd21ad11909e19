#!/usr/bin/env python3
"""hcc export and hcc import: maps of names, what they move where, and what they refuse."""

import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import harness

MODEL = """model m {
  const v = 7, h = 2, k = 1, e = 3, d = 4, layers = 2, extra = false;
  positions t <= 4;
  input  now[t]  : token(v);
  target next[t] : token(v);
  param E[v, d] ~ normal(1);
  let x = embed(now, E);
  let y = trunk(x) { repeat layers { mix = residual : mixed(h, k, e); } };
  let logits[j] = sum[c] E[j, c] * y[c];
  loss cross_entropy(logits, next);
}
branch mixed(h, k, e, extra = false) : x[d] -> y[d] {
  param Q[h, e, d], K[k, e, d], O[d, h, e] ~ normal(1);
  param s[d, 1] = 1;
  let a = sum[i, j, c] Q[i, j, c] * K[0, j, c];
  let y[c] = s[c,0] * a * x[c] * sum[i, j] O[c, i, j];
  if extra {
    param w = 2;
    penalty w;
  }
}
train m { data tokens { now[t] = tokens[t]; next[t] = tokens[t + 1]; } batch 2; }
"""

# Queries and keys of unequal heads in one matrix, turned; and a pair interleaved by rows.
MAP = """# ours and theirs
E[v, d] = emb.weight[v, d]          # as it is
tied E = head.weight
trunk.{i}.mix.Q[h e d] | trunk.{i}.mix.K[k e d]
  = (model.)?layers.{i}.qk[d (h e | k e)]
trunk.{i}.mix.O[d h e] = (model.)?layers.{i}.o[(e h) d]
trunk.{i}.mix.s[d 1] = (model.)?layers.{i}.s[d]
maybe trunk.{i}.mix.w = (model.)?layers.{i}.w
skip *.mask
"""

SHAPES = {"E": [7, 4]}
for layer in range(2):
    SHAPES |= {f"trunk.{layer}.mix.{name}": shape
               for name, shape in (("Q", [2, 3, 4]), ("K", [1, 3, 4]), ("O", [4, 2, 3]), ("s", [4, 1]))}


def count(shape):
    n = 1
    for dim in shape:
        n *= dim
    return n


class Tensors(harness.TestCase):
    def put(self, name, tensors):
        """tensors: name -> (shape, values), or (shape, values, type)."""
        header, data = {}, b""
        for key, (shape, values, *kind) in tensors.items():
            kind = kind[0] if kind else "F32"
            form = {"F32": "f", "F64": "d", "F16": "e", "I32": "i"}[kind]
            raw = struct.pack(f"<{len(values)}{form}", *values)
            header[key] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header).encode()
        return self.write(name, struct.pack("<Q", len(text)) + text + data)

    def get(self, name):
        with open(self.path(name), "rb") as file:
            raw = file.read()
        size = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:8 + size])
        self.assertEqual(header.pop("__metadata__")["format"], "pt")
        found = {}
        for key, entry in header.items():
            begin, end = entry["data_offsets"]
            form = {"F32": "f", "F64": "d"}[entry["dtype"]]
            values = struct.unpack(f"<{count(entry['shape'])}{form}", raw[8 + size + begin:8 + size + end])
            found[key] = (entry["shape"], list(values))
        return found

    def hcc(self, *arguments, code=0):
        return self.expect(harness.hcc(*arguments, cwd=self.folder), code)

    def ours(self, **more):
        """Every entry is a number of its own."""
        n, tensors = 0, {}
        for name, shape in SHAPES.items():
            tensors[name] = (shape, [float(n + j) for j in range(count(shape))], *more.values())
            n += 100
        return tensors


class Maps(Tensors):
    def setUp(self):
        super().setUp()
        self.write("m.hc", MODEL)
        self.write("names.map", MAP)
        self.put("ours.safetensors", self.ours())

    def there(self):
        self.hcc("export", "ours.safetensors", "--map", "names.map", "--out", "theirs.safetensors")
        return self.get("theirs.safetensors")

    def back(self, *more, code=0):
        return self.hcc("import", "m.hc", "--from", "theirs.safetensors", "--map", "names.map", "--out",
                        "again.safetensors", *more, code=code)

    def test_entries_lie_where_the_axes_say(self):
        ours, theirs = self.ours(), self.there()
        self.assertEqual(set(theirs), {"emb.weight", "head.weight"} | {
            f"model.layers.{k}.{name}" for k in range(2) for name in ("qk", "o", "s")})
        self.assertEqual(theirs["head.weight"], ours["E"])
        shape, qk = theirs["model.layers.1.qk"]
        self.assertEqual(shape, [4, 9])
        q, k = ours["trunk.1.mix.Q"][1], ours["trunk.1.mix.K"][1]
        self.assertEqual(qk, [(q[j * 4 + c] if j < 6 else k[(j - 6) * 4 + c]) for c in range(4) for j in range(9)])
        shape, o = theirs["model.layers.0.o"]
        mine = ours["trunk.0.mix.O"][1]
        self.assertEqual(o, [mine[c * 6 + h * 3 + e] for e in range(3) for h in range(2) for c in range(4)])
        self.assertEqual(theirs["model.layers.0.s"][0], [4])

    def test_what_went_there_comes_back(self):
        theirs = self.there()
        self.back()
        self.assertEqual(self.get("again.safetensors"), self.ours())
        # without the piece that may be missing, without what is tied, with what is skipped, in halves
        self.put("theirs.safetensors", {name.removeprefix("model."): (*tensor, "F16") for name, tensor in theirs.items()
                                        if name != "head.weight"} | {"a.mask": ([2], [1, 0], "I32")})
        self.back()
        self.assertEqual(self.get("again.safetensors"), self.ours())

    def test_doubles_stay_doubles(self):
        self.put("ours.safetensors", {name: (shape, [v / 3 for v in values], "F64")
                                      for name, (shape, values) in self.ours().items()})
        self.there()
        self.back()
        self.assertEqual(self.get("again.safetensors")["E"][1][2], 2 / 3)

    def test_a_run(self):
        self.there()
        self.hcc("import", "m.hc", "--from", "theirs.safetensors", "--map", "names.map", "--out", "run")
        self.hcc("export", "run", "--out", "plain.safetensors")
        self.assertEqual(self.get("plain.safetensors"), self.ours())
        self.write("t.bin", struct.pack("<63H", *range(7), *[k % 7 for k in range(56)]))
        said = self.hcc("train", "m.hc", "--data", "t.bin", "--from", "run", "--steps", "0", "--out", "more").err
        self.assertIn("gives 9 of 9 tensors", said)
        self.hcc("export", "more/ckpt/last", "--map", "names.map", "--out", "theirs2.safetensors")
        self.assertEqual(self.get("theirs2.safetensors"), self.get("theirs.safetensors"))
        self.assertIn("run   it was imported, not trained here", self.hcc("compare", "run", "more").out)
        self.assertIn("it was imported, not trained here", self.hcc("log", "run").out)
        self.assertIn("--force", self.hcc("import", "m.hc", "--from", "theirs.safetensors", "--map", "names.map",
                                          "--out", "run", code=2).err)

    def test_the_average_is_what_is_exported(self):
        self.write("t.bin", struct.pack("<63H", *range(7), *[k % 7 for k in range(56)]))
        self.hcc("train", "m.hc", "--data", "t.bin", "--steps", "4", "--out", "run", "--quiet",
                 "--set", "train.ema=0.5")
        for of in ("run", "run/ckpt/last"):
            self.hcc("export", of, "--out", "e.safetensors")
            if of == "run":
                average = self.get("e.safetensors")
        self.assertEqual(self.get("e.safetensors"), average)
        self.hcc("export", "run/ckpt/last/parameters.safetensors", "--out", "e.safetensors")
        self.assertEqual(self.get("e.safetensors"), average)

    def test_optional_tensors(self):
        """`maybe`: on both sides, or on neither."""
        self.there()
        theirs = self.get("theirs.safetensors")
        self.assertIn("nothing gives the model's `trunk.0.mix.w` and 1 more", self.back("--set", "extra=true", code=3).err)
        more = {f"layers.{k}.w": ([], [k + 5.0]) for k in range(2)}
        self.put("theirs.safetensors", theirs | more)
        self.back("--set", "extra=true")
        self.assertEqual(self.get("again.safetensors")["trunk.1.mix.w"], ([], [6.0]))
        self.assertIn("the model has no tensor `trunk.{i}.mix.w`", self.back(code=3).err)

    def test_omitted(self):
        """Connections have no counterpart elsewhere: that has to be said."""
        self.put("ours.safetensors", self.ours() | {"trunk.0.mix.hc.A": ([2], [1, 2])})
        said = self.hcc("export", "ours.safetensors", "--map", "names.map", "--out", "t.safetensors", code=3).err
        self.assertIn("does not say what becomes of `trunk.0.mix.hc.A` (`omit NAME`", said)
        self.write("names.map", MAP + "omit trunk.*.hc.*\nomit trunk.{i}.mix.w\n")
        self.there()
        self.back("--set", "extra=true")
        self.assertNotIn("trunk.0.mix.w", self.get("again.safetensors"))
        said = self.hcc("import", "m.hc", "--from", "theirs.safetensors", "--map", "names.map", "--set", "extra=true",
                        "--out", "run", code=2).err
        self.assertIn("omits tensors of the model", said)
        self.assertFalse(os.path.exists(self.path("run")))

    def test_what_does_not_fit(self):
        theirs = self.there()
        other = dict(theirs)
        head, qk = theirs["head.weight"], theirs["model.layers.0.qk"]

        def refused(said, **changes):
            self.put("theirs.safetensors", {name: value for name, value in (theirs | changes).items() if value})
            with self.subTest(said):
                self.assertIn(said, self.back(code=3).err)
                self.assertFalse(os.path.exists(self.path("again.safetensors")))

        refused("`head.weight` is tied to `E`, and holds other values", **{"head.weight": (head[0], [1.0] * 28)})
        refused("names.map:4: the axes do not fit: `model.layers.0.qk` is [4, 8], and `trunk.0.mix.Q` [2, 3, 4] (--set",
                **{"model.layers.0.qk": ([4, 8], qk[1][:32])})
        refused("the axes do not fit: `model.layers.0.qk` is [36], and", **{"model.layers.0.qk": ([36], qk[1])})
        refused("does not say what becomes of `more` (`skip NAME`", more=([1], [1.0]))
        refused("nothing gives the model's `trunk.1.mix.s`", **{"model.layers.1.s": None})
        refused("has no tensor `emb.weight`", **{"emb.weight": None})
        refused("has its values already",
                **{"layers.0.s": theirs["model.layers.0.s"]})
        refused("the model has no tensor `trunk.{i}.mix.s`", **{"layers.2.s": theirs["model.layers.0.s"]})
        refused("does not hold F32", **{"emb.weight": ([7, 4], [1] * 28, "I32")})
        self.assertEqual(other, theirs)
        self.write("theirs.safetensors", b"\x10\0\0\0\0\0\0\0{")
        self.assertIn("cut off in its header", self.back(code=3).err)

    def test_maps_that_are_wrong(self):
        for text, said in (
                ("", "it maps nothing"), ("a b = c\n", "1:3: expected `=`"), ("a[b = c[b]", "expected the name of an axis"),
                ("a[b c] = d[b]", "1:1: both sides have the same axes"), ("a[b b] = d[b]", "both sides have the same axes"),
                ("a[b] | c[b] = d[b]", "as many parts as there are tensors"), ("a = d[b]", "the axes of both sides are named"),
                ("a[b] | c[b] = d[(b | b | b)]", "as many parts as"), ("\na | b = c | d", "2:1: one side is a single tensor"),
                ("a[2] = b[2]", "only `1` may stand for one"), ("a.{i} = b.{j}", "has to be one of ours"),
                ("a.{} = b", "1:1: a place in a name"), ("a.* = b", "only `skip` and `omit` take `*`"),
                ("(a = b", "is written `(text)?`"), ("a = b c", "1:7: expected the end of the line"),
                ("a[(b] = c[b]", "expected `)`"), ("skip a[b]", "1:6: what has nothing to stand for has no axes"),
                ("a.{i}[c] | b[c] = c[(c | c)]", "all tensors of a side have the same places"), ("a = b\nskip", "2:5: a name is missing"),
                ("a = b\0", "zero byte")):
            self.write("wrong.map", text)
            with self.subTest(text):
                said_now = self.hcc("export", "ours.safetensors", "--map", "wrong.map", "--out", "x.safetensors", code=3).err
                self.assertIn("wrong.map:", said_now)
                self.assertIn(said, said_now)
        self.write("wrong.map", "E[v d] = x[(v w) d]\n")
        self.write("open.map", "E[v d] = x[v d]\ntrunk.{i}.mix.O = y\nomit *\n")
        for name, said in (("wrong.map", "both sides have the same axes"), ("open.map", "`y` is mapped twice")):
            self.assertIn(said, self.hcc("export", "ours.safetensors", "--map", name, "--out", "x.safetensors", code=3).err)
        self.write("open.map", "E[(a b)] = x[a b]\nomit *\n")
        self.put("flat.safetensors", {"E": ([6], [0.0] * 6)})
        self.assertIn("how long the axis `a` is follows from no shape",
                      self.hcc("export", "flat.safetensors", "--map", "open.map", "--out", "x.safetensors", code=3).err)

    def test_command_lines(self):
        for arguments, said in ((("export", "ours.safetensors"), "needs --out"),
                                (("export", "ours.safetensors", "--out", "x"), "NAME.safetensors"),
                                (("export", "ours.safetensors", "--out", "ours.safetensors"), "is what this command reads"),
                                (("import", "m.hc", "--from", "x"), "needs --from")):
            self.assertIn(said, self.hcc(*arguments, code=2).err)
        self.assertIn("there is no `none`", self.hcc("export", "none", "--out", "x.safetensors", code=3).err)
        # our own file is replaced, another's is not
        self.there()
        self.there()
        self.put("x.safetensors", self.ours())
        self.assertIn("--force", self.hcc("export", "ours.safetensors", "--out", "x.safetensors", code=2).err)
        self.hcc("export", "ours.safetensors", "--out", "x.safetensors", "--force")


harness.main(__name__)
