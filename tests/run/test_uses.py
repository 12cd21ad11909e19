#!/usr/bin/env python3
"""Files that use others: where they are found, and that a run has them whatever becomes of them."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

MAIN = """use "lib/wires.hc";
use "shared.hc";
use "./lib/../lib/deep.hc";
model m {
  const d = width, wiring = wire;
  positions t <= 4;
  input x[t] : token(256);
  target y[t] : token(256);
  param E[256, d] ~ normal(0.02);
  let h = trunk(embed(x, E)) { a = wiring : linear(d); };
  let logits[v] = sum[c] E[v,c] * doubled(h)[c];
  loss cross_entropy(logits, y);
}
train m {
  data text { x[t] = bytes[t]; y[t] = bytes[t + 1]; held_out = 0.2; }
  batch 4; steps 3;
}
"""
FILES = {
    "main.hc": MAIN,
    "lib/wires.hc": """use "deep.hc";
connection wire(norm = unit) {
  state h[d];
  begin h = x;
  read  x = norm(h);
  write h[c] = h[c] + y[c];
  end   x = norm(h);
}
model m { input x : real; target y : real; param a = 1; loss (a * x - y)^2; }
""",
    "lib/deep.hc": "fn unit(x[n]) -> y[n] { let y = rmsnorm(x); }\nconst width = 8;\n",
    "else/shared.hc": "fn doubled(x[n]) -> y[n] { let y[c] = 2 * x[c]; }\n",
}


class Uses(harness.TestCase):
    def setUp(self):
        super().setUp()
        for name, text in FILES.items():
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            self.write(name, text)
        self.main = self.path("main.hc")
        self.data = self.write("text.txt", "the quick brown fox jumps over the lazy dog; " * 20)
        self.beside = ["-I", self.path("else")]

    def train(self, run, *more):
        return hcc("train", self.main, "--data", self.data, "--out", run, *more)

    def test_found(self):
        missing = hcc("check", self.main)
        self.assertEqual(missing.code, 1, repr(missing))
        self.assertIn("E0107", missing.err)
        self.assertIn("main.hc:2:5", missing.err)
        self.expect(hcc("check", self.main, *self.beside))
        self.expect(hcc("check", self.main, "-I", self.path("lib"), *self.beside))
        self.expect(hcc("check", self.main, env={"HCC_PATH": f"/nowhere:{self.path('else')}"}))
        self.expect(hcc("info", self.main, "--against", "shc", *self.beside))
        self.expect(hcc("gradcheck", self.main, *self.beside))

    def test_own_model(self):
        """Models of used files are left aside."""
        info = self.expect(hcc("info", self.main, "--json", *self.beside))
        self.assertEqual(json.loads(info.out)["parameters"], 256 * 8 + 8 * 8)

    def test_run_keeps_them(self):
        run, whole = self.path("run"), self.path("whole")
        self.expect(self.train(whole, *self.beside, "--steps", "5"))
        self.expect(self.train(run, *self.beside))
        with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
            uses = json.load(file)["hcc"]["uses"]
        self.assertEqual([u["use"] for u in uses],
                         ["lib/wires.hc", "deep.hc", "shared.hc", "./lib/../lib/deep.hc"])
        self.assertEqual([u["text"] for u in uses],
                         [FILES[n] for n in ("lib/wires.hc", "lib/deep.hc", "else/shared.hc", "lib/deep.hc")])
        self.write("lib/deep.hc", "this is no text any more")
        shutil.rmtree(self.path("else"))
        self.expect(hcc("eval", run))
        self.expect(hcc("sample", run, "--length", "5"))
        self.expect(hcc("inspect", run, "--maps"))
        self.expect(hcc("train", "--resume", run, "--steps", "5"))
        final = [open(os.path.join(r, "ckpt", "final.safetensors"), "rb").read() for r in (run, whole)]
        self.assertEqual(*(f[8 + int.from_bytes(f[:8], "little"):] for f in final))

    def test_damaged(self):
        run = self.path("run")
        self.expect(self.train(run, *self.beside))
        path = os.path.join(run, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        kept = config["hcc"]["uses"]
        for uses, code in ((kept[:1], 1), ([{"use": "lib/wires.hc"}], 3), ([7], 3)):
            config["hcc"]["uses"] = uses
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            result = hcc("eval", run)
            self.assertEqual(result.code, code, repr(result))

    def test_sweep(self):
        """A sweep whose file uses another that has changed is not gone on with."""
        command = ["sweep", self.main, *self.beside, "--data", self.data, "--vary", "train.lr=1e-3,1e-2",
                   "--out", self.path("sweep")]
        self.expect(hcc(*command))
        self.expect(hcc(*command))
        self.write("lib/deep.hc", FILES["lib/deep.hc"] + "const other = 1;\n")
        result = hcc(*command)
        self.assertEqual(result.code, 2, repr(result))
        self.assertIn("has changed since the sweep", result.err)

    def test_compared(self):
        """Runs of one file differ by what another says that it uses."""
        for k, text in enumerate((FILES["else/shared.hc"], FILES["else/shared.hc"].replace("2 * x", "3 * x"))):
            self.write("else/shared.hc", text)
            self.expect(self.train(self.path(f"runs/r{k}"), *self.beside))
        self.assertIn("source", self.expect(hcc("compare", self.path("runs"))).out)

    def test_connection(self):
        self.expect(hcc("build", "--connection", "wire", self.write("own.hc", FILES["lib/wires.hc"].split("model")[0].replace("deep", "lib/deep")), "--set", "d=8",
                        "-o", self.path("wire.so")))


harness.main(__name__)
