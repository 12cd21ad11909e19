#!/usr/bin/env python3
"""hcc gradcheck for every connection of the library, and compiled code against the interpreter."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness
from harness import hcc

SHAKESPEARE = "examples/shakespeare.hc"
CONNECTIONS = ["residual", "postnorm", "shc", "dhc", "frac", "mhc", "harmonised"]
# Sizes: features in vector lanes, and too few of them for that.
WIDE = ["heads=2", "blocks=1", "n=4", "context=8"]
NARROW = ["d=16", "heads=2", "blocks=1", "n=4", "context=8"]
# Tensors that cannot influence the loss. All streams are equal at the first site, and a doubly
# stochastic map does nothing to equal streams, nor do reading weights whose sum is one; of writing
# weights whose sum is one the last site's mean sees nothing.
NO_INFLUENCE = {"mhc": {"trunk.0.attn.hc.R", "trunk.0.attn.hc.br", "trunk.0.attn.hc.ar"},
                "harmonised": {"trunk.0.attn.hc.p", "trunk.LAST.mlp.hc.q"}}

HELD = """fn once(x[n]) -> y[n] {
  let u[k] = x[k];
  iterate 3 { u[k] = tanh(u[k] * stop_gradient(u[k]) + x[k]); }
  let y = u;
}
fn inside(x[n]) -> y[n] {
  let u[k] = x[k];
  iterate 2 {
    iterate 2 { u[k] = u[k] * stop_gradient(sum[j] u[j]) / 8; }
    u[k] = u[k] + stop_gradient(x[k]) * x[k];
  }
  let y = u;
}
branch dropping : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let u[k] = tanh(sum[c] W[k,c] * dropout(x, 0.3)[c]);
  let y[c] = u[c] * (1 + random(u)[c]);
}
model held {
  const d = 33;
  positions t <= 4;
  input x[t, d] : real;
  target b[t, d] : real;
  param a[d], p ~ normal(1);
  let z[k] = a[k] * x[k];
  let h    = trunk(z) { one = residual : dropping; };
  let q    = p * stop_gradient(p);
  let w[k] = once(h)[k] + inside(h)[k];
  let m    = mean[t] h[0];
  loss (sum[k] w[k] * b[k] * q) + m * stop_gradient(m);
}
"""


STOPPED = """fn rounded(x) = floor(x + 0.5);
/// Straight through: the quantised value, the gradient of the value itself.
branch quantised() : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let w[k, c] = W[k, c] + stop_gradient(rounded(4 * W[k, c]) / 4 - W[k, c]);
  let y[k] = sum[c] w[k, c] * x[c];
}
/// A fixed point with the gradient of its last step.
branch one_step(turns = 200) : x[d] -> y[d] {
  param A[d, d] ~ normal(0.1), b[d] = 0;
  let z[c] = 0 * x[c];
  iterate turns {
    z[k] = stop_gradient(tanh((sum[c] A[k, c] * z[c]) + x[k] + b[k]));
  }
  let y[k] = tanh((sum[c] A[k, c] * stop_gradient(z[c])) + x[k] + b[k]);
}
/// The side: a probe that is trained on what the trunk has, without a word to it.
branch beside() : x[d] -> y[d] {
  param S[d, d], W[d, d] ~ normal(0.3);
  let s[k] = tanh(sum[c] S[k, c] * stop_gradient(x[c]));
  penalty mean[k] (s[k] - stop_gradient(x[k]))^2;
  let y[k] = (sum[c] W[k, c] * x[c]) + stop_gradient(s[k]);
}
/// A gumbel-ish hard choice with a soft gradient.
branch hard() : x[d] -> y[d] {
  param G[4, d], V[4, d] ~ normal(0.5);
  let l[e] = sum[c] G[e, c] * x[c];
  let p[e] = softmax[e] l[e];
  let best = argmax[e] l[e];
  let g[e] = p[e] + stop_gradient(onehot(best)[e] - p[e]);
  let y[c] = sum[e] g[e] * V[e, c];
}
model t {
  const d = 8;
  positions t <= 6;
  input x[t, d] : real;
  target z[t, d] : real;
  let h = trunk(x) { a = residual : quantised; b = residual : one_step; c = residual : beside; e = residual : hard; };
  loss mse(h, z);
}
"""


class Gradcheck(harness.TestCase):
    def check(self, wiring, size, *arguments):
        settings = [word for setting in size for word in ("--set", setting)]
        result = hcc("gradcheck", SHAKESPEARE, "--json", "--set", f"wiring={wiring}", *settings,
                     *arguments)
        self.expect(result)
        return json.loads(result.out)

    def test_every_connection(self):
        """Every tensor's derivative along random directions to 1e-6."""
        for wiring in CONNECTIONS:
            with self.subTest(wiring):
                report = self.check(wiring, WIDE)
                self.assertTrue(report["ok"])
                self.assertGreater(len(report["parameters"]), 7)
                without = {p["name"] for p in report["parameters"] if p["verdict"] == "none"}
                last = max(int(p["name"].split(".")[1]) for p in report["parameters"]
                           if p["name"].startswith("trunk."))
                self.assertEqual(without, {name.replace("LAST", str(last))
                                           for name in NO_INFLUENCE.get(wiring, set())})
                for parameter in report["parameters"]:
                    if parameter["name"] in without:
                        self.assertLess(parameter["analytic"], 1e-15, parameter)
                        self.assertLess(parameter["numeric"], parameter["bound"], parameter)
                        self.assertLess(parameter["bound"], 1e-12, parameter)
                    else:
                        self.assertEqual(parameter["verdict"], "ok", parameter)
                        self.assertLess(parameter["relative_error"], 1e-6, parameter)

    def agree(self, wiring, size):
        reference = self.check(wiring, size, "--interpret")
        for arguments in [[], ["-O0"]]:
            with self.subTest((wiring, arguments)):
                found = self.check(wiring, size, *arguments)
                self.assertAlmostEqual(found["loss"], reference["loss"], delta=1e-12)
                for a, b in zip(found["parameters"], reference["parameters"]):
                    self.assertEqual(a["name"], b["name"])
                    self.assertAlmostEqual(a["analytic"], b["analytic"],
                                           delta=1e-12 + 1e-10 * b["analytic"])

    def test_compiled_code_and_interpreter_agree(self):
        """The same parameters, data and directions: loss and derivatives to rounding."""
        for wiring in harness.share(CONNECTIONS[2:], 6):
            self.agree(wiring, NARROW)

    def test_many_streams(self):
        """More of them than registers hold sums for, and a width that vectors do not divide."""
        for wiring, n in [("shc", 18), ("dhc", 12)]:
            self.agree(wiring, ["d=38", "heads=2", "blocks=1", f"n={n}", "context=4"])

    def test_networks_on_pictures(self):
        """Convolutions, patches and positions of a grid, one vector a sample."""
        for example, size in [("convnet.hc", ["side=4", "d=6", "blocks=1"]),
                              ("vit.hc", ["d=8", "heads=2", "blocks=1"]),
                              ("regression.hc", ["d=6", "blocks=1"])]:
            for wiring in harness.share(["mhc", "residual", "shc"], 3):
                settings = [w for s in [*size, f"wiring={wiring}"] for w in ("--set", s)]
                with self.subTest((example, wiring)):
                    result = hcc("gradcheck", f"examples/{example}", "--json", *settings)
                    self.assertTrue(json.loads(self.expect(result).out)["ok"])

    def test_what_is_held_and_what_is_drawn(self):
        """Differences leave what stop_gradient holds where it is, in loops too, and what is random is
        the same in compiled code and interpreter; a derivative through it would be found."""
        model = self.write("held.hc", HELD)
        reports = [json.loads(self.expect(hcc("gradcheck", model, "--json", "--seed", "3", *options)).out)
                   for options in ([], ["--interpret"])]
        self.assertAlmostEqual(reports[0]["loss"], reports[1]["loss"], delta=1e-11)
        for a, b in zip(*(report["parameters"] for report in reports)):
            self.assertEqual((a["name"], a["verdict"]), (b["name"], b["verdict"]))
            self.assertAlmostEqual(a["analytic"], b["analytic"], delta=1e-10 * (1 + b["analytic"]))
            self.assertEqual(a["verdict"], "ok", a)

    def test_estimators(self):
        """Gradients that are none of the loss as it is: straight through a rounding and a hard choice, of
        the last step to a fixed point, and of a side that the trunk does not hear of. What is stopped
        stands still while differences are taken, so they are proved; and nothing comes through it."""
        path = self.write("stopped.hc", STOPPED)
        for more in (["-O0"], ["--set", "d=33"], ["--interpret"]):
            report = json.loads(self.expect(hcc("gradcheck", path, "--json", *more)).out)
            self.assertEqual([p["verdict"] for p in report["parameters"]], ["ok"] * 7, report)
        free = self.write("free.hc", STOPPED.replace("* stop_gradient(x[c])", "* x[c]"))
        verdicts = {p["name"]: p for p in json.loads(self.expect(hcc("gradcheck", free, "--json")).out)["parameters"]}
        stopped = {p["name"]: p for p in report["parameters"]}
        self.assertNotAlmostEqual(verdicts["trunk.a.W"]["analytic"], stopped["trunk.a.W"]["analytic"], delta=1e-6)

    def test_tables_of_what_is_not_finite(self):
        path = self.write("m.hc", """model m {
  positions t <= 2;
  input x[t, 33] : real;
  param W[33] = 1;
  let T[i < 33, j < 33] = select(i >= j, 0, log(0));                 // a mask
  let u[i < 33] = 1 / i, v[i < 33] = select(i > 0, 0, 0) / i;      // inf and nan first
  let p[i, j] = softmax[j] T[i,j] + x[i] * W[j];
  let q = sum[i] select(i > 0, u[i] + v[i], 1) * x[i] * W[i];
  loss (sum[i, j] p[i,j] * x[j]) + q;
}
""")
        for more in ([], ["-O0"], ["--interpret"]):
            self.assertIn("1 tensors, 0 wrong", self.expect(hcc("gradcheck", path, *more)).out)

    def test_text(self):
        result = self.expect(hcc("gradcheck", SHAKESPEARE, "--set", "wiring=mhc", "--set", "n=2",
                                 "--set", "blocks=1"))
        self.assertIn("0 wrong", result.out)
        rows = {line.split()[0]: line for line in result.out.splitlines() if line}
        self.assertRegex(rows["trunk.0.attn.hc.br"], r" -  none, below \d\.\de-1\d$")
        self.assertRegex(rows["trunk.0.attn.Wo"], r" \d\.\de-\d\d  ok$")
        self.assertIn("none: no influence on the loss", result.out)

    def test_what_has_no_path_is_listed(self):
        """A branch whose result is lost: its tensors are rows like the others, and `info` marks them."""
        model = self.write("lost.hc", """
connection unread { state h[d]; begin h = x; read x = rmsnorm(h); write h[c] = h[c]; end x = h; }
model m {
  const d = 4; positions t <= 3;
  input x[t, d] : real; target y[t, d] : real;
  param F[d] = 1 freeze; buffer b[d] = 0;
  update b[c] = b[c] + x[c];
  let u[c] = F[c] * x[c] + b[c];
  let h = trunk(u) { kept = residual : linear(d); lost = unread : linear(d); };
  loss mse(h, y);
}""")
        lost = self.expect(hcc("gradcheck", model))
        self.assertIn("warning[E0231]", lost.err)
        rows = {line.split()[0]: line for line in lost.out.splitlines() if line}
        self.assertRegex(rows["trunk.lost.W"], r"none, no path to the loss$")
        self.assertRegex(rows["trunk.kept.W"], r"ok$")
        self.assertNotIn("F", rows)
        self.assertNotIn("b", rows)
        found = json.loads(self.expect(hcc("gradcheck", model, "--json")).out)["parameters"]
        self.assertEqual([(p["name"], p["verdict"]) for p in found],
                         [("trunk.kept.W", "ok"), ("trunk.lost.W", "none")])
        self.assertRegex(self.expect(hcc("info", model)).out, r"no path to loss +trunk\.lost\.W\n")
        info = json.loads(self.expect(hcc("info", model, "--json")).out)
        self.assertEqual(info["no_path"], ["trunk.lost.W"])


if __name__ == "__main__":
    harness.main(__name__)
