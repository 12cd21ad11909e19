#!/usr/bin/env python3
"""Connections that call their site's branch: Heun's rule, loops, several branches, by way of functions.

Derivatives against differences, compiled code against the interpreter, and values against Python."""

import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

WIDTHS = (33, 31, 32, 64, 65, 257)
CONNECTIONS = """
fn rule(f, h[d], norm) -> y[d] {
  let a    = f(norm(h));
  let p[c] = h[c] + 0.5 * a[c];
  let b    = f(norm(p));
  let y[c] = h[c] + b[c];
}
connection midpoint(norm = rmsnorm) {
  state h[d];
  begin h = x;
  write h = rule(branch, h, norm);
  end x = norm(h);
}
connection heun(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let k      = branch(norm(h));
  let e[c]   = h[c] + k[c];
  write h[c] = h[c] + 0.5 * (k[c] + branch(norm(e))[c]);
  end x = norm(h);
}
connection settled(turns = 3, norm = rmsnorm) {
  state h[d];
  begin h = x;
  let z = h;
  iterate turns { z[c] = h[c] + 0.5 * branch(norm(z))[c]; }
  write h = z;
  end x = norm(h);
}
connection written_out(turns = 3, norm = rmsnorm) {
  state h[d];
  begin h = x;
  let z = h;
  for k < turns {
    let u = norm(z);
    z[c]  = h[c] + 0.5 * branch(u)[c];
  }
  write h = z;
  end x = norm(h);
}
connection coupled(norm = rmsnorm) {
  state a[d], b[d];
  begin a = x, b = x;
  let f      = branch[0](norm(b));
  let p[c]   = a[c] + f[c];
  let g      = branch[1](norm(p));
  write a    = p;
  write b[c] = b[c] + g[c];
  let s[c]   = a[c] + b[c];
  end x = norm(s);
}
connection mixed(norm = rmsnorm) {
  state h[d];
  begin h = x;
  read x     = norm(h);
  let e[c]   = h[c] + y[c];
  write h[c] = e[c] + 0.5 * branch(norm(e))[c];
  end x = norm(h);
}
connection each(n = 2, norm = rmsnorm) {
  state H[n, d];
  begin H[i,c] = x[c] * (1 + 0.5 * i);
  let Y[i,c]   = branch(norm(H[i]))[c];
  write H[i,c] = H[(i + 1) % n, c] + Y[i,c];
  let s[c]     = sum[i] H[i,c];
  end x = norm(s);
}
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
branch given : x[d], z[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]) * z[c];
}
branch noisy(hidden) : x[d] -> y[d] {
  param U[hidden, d], D[d, hidden] ~ normal(0.2);
  buffer square = 1;
  update square = square + mean[c] x[c]^2;
  let u[k] = tanh(sum[c] U[k,c] * x[c]);
  penalty 0.1 * mean[k] u[k]^2;
  probe u;
  let v = dropout(u, 0.5);
  probe v;
  let y[c] = (sum[k] D[c,k] * v[k]) / sqrt(square);
}
"""
NETWORK = CONNECTIONS + """
model m {
  const d = 33;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  param A[d] ~ normal(1);
  let z[c] = A[c] * x[c];
  let h = trunk(z) {
    a = midpoint : mlp(9); b = heun : attention(1); c = settled : bend; e = written_out : bend;
    f = mixed : noisy(7); g = settled : conv1d; i = heun : given(z = z); j = heun : bend & noisy(5);
  };
  let g = trunk(h) { a = coupled : attention(1) & mlp(9); b = coupled : bend & bend; };
  let k = trunk(g) { a = each : bend; b = each : mlp(11); };
  loss sum[c] up[c] * k[c];
}
"""
SMALL = CONNECTIONS + """
connection once { state h[d]; begin h = x; write h[c] = h[c] + branch(h)[c]; end x = h; }
connection read_once { state h[d]; begin h = x; read x = h; write h[c] = h[c] + y[c]; end x = h; }
fn same(x) = x;
model m {
  const d = 5;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  let z = stop_gradient(x);
  let h = trunk(z) { SITES };
  probe h;
  loss sum[c] up[c] * h[c];
}
"""


def bend(W, x):
    d = len(x)
    return [math.tanh(sum(W[c * d + a] * x[a] for a in range(d))) for c in range(d)]


class Calls(harness.TestCase):
    def test_derivatives(self):
        """At widths about the lanes' multiples, by optimised code, by plain code and by the interpreter."""
        file = self.write("calls.hc", NETWORK)
        for width in harness.share(WIDTHS, 6):
            found = {}
            for options in ((), ("-O0",), ("--interpret",)) if width < 64 else ((), ("-O0",)):
                with self.subTest(width=width, options=options):
                    result = self.expect(harness.hcc("gradcheck", file, "--json", "--set", f"d={width}", *options))
                    found[options] = json.loads(result.out)
                    for one in found[options]["parameters"]:
                        self.assertEqual(one["verdict"], "ok", one)
            for other in found.values():
                self.assertAlmostEqual(found[()]["loss"], other["loss"], delta=1e-11)
                for a, b in zip(found[()]["parameters"], other["parameters"]):
                    self.assertAlmostEqual(a["analytic"], b["analytic"], delta=1e-10 * (1 + b["analytic"]))

    def model(self, sites, samples=2, threads=1, f64=True):
        file = self.write("small.hc", SMALL.replace("SITES", sites))
        model = Model(build(self.path(f"m{len(os.listdir(self.folder))}.so"), file=file, f64=f64), samples, 4, threads)
        self.addCleanup(model.close)
        model.init(5)
        draw = random.Random(1)
        x, up = ([draw.gauss(0, 1) for _ in range(samples * 4 * 5)] for _ in range(2))
        model.set_input("x", x)
        model.set_input("up", up)
        return model, x

    def gradients(self, model):
        model.forward()
        model.backward()
        return model.output("h")[0], {name: list(p.gradient) for name, p in model.parameters.items()}

    def test_one_call_is_a_read(self):
        (called, _), (read, _) = (self.model(f"a = {name} : bend; b = {name} : noisy(3);")
                                  for name in ("once", "read_once"))
        self.assertEqual(self.gradients(called), self.gradients(read))
        self.assertEqual(list(called.parameters), ["trunk.a.W", "trunk.b.U", "trunk.b.D", "trunk.b.square"])

    def test_values(self):
        """Heun's rule and a coupling, each weight once."""
        model, x = self.model("a = heun(norm = same) : bend;")
        W = list(model.parameters["trunk.a.W"].data)
        self.assertEqual(list(model.parameters), ["trunk.a.W"])
        model.forward()
        got = model.output("h")[0]
        for at in range(0, len(x), 5):
            h = x[at : at + 5]
            k = bend(W, h)
            m = bend(W, [a + b for a, b in zip(h, k)])
            for a, b in zip(got[at : at + 5], (a + (b + c) / 2 for a, b, c in zip(h, k, m))):
                self.assertAlmostEqual(a, b, delta=1e-13)
        model, x = self.model("a = coupled(norm = same) : bend & bend;")
        F, G = (list(model.parameters[f"trunk.a.bend_{k}.W"].data) for k in range(2))
        model.forward()
        got = model.output("h")[0]
        for at in range(0, len(x), 5):
            h = x[at : at + 5]
            p = [a + b for a, b in zip(h, bend(F, h))]
            for a, b in zip(got[at : at + 5], (a + b + c for a, b, c in zip(p, h, bend(G, p)))):
                self.assertAlmostEqual(a, b, delta=1e-13)

    def test_a_loop_is_its_turns(self):
        for sites in ("a = NAME : bend; b = NAME : mlp(3);", "a = NAME : conv1d;"):
            one, other = (self.gradients(self.model(sites.replace("NAME", name))[0])
                          for name in ("settled", "written_out"))
            for a, b in zip(one[0], other[0]):
                self.assertAlmostEqual(a, b, delta=1e-12)
            self.assertEqual(one[1].keys(), other[1].keys())
            for name, values in one[1].items():
                for a, b in zip(values, other[1][name]):
                    self.assertAlmostEqual(a, b, delta=1e-12, msg=name)

    def test_what_a_branch_draws_keeps_and_adds(self):
        model, _ = self.model("a = heun : noisy(40);")
        loss = model.forward()
        u, v = ([model.output(f"trunk.a.{name}{run}")[0] for run in ("", "_2")] for name in "uv")
        kept = [[b != 0 for b in values] for values in v]
        self.assertNotEqual(kept[0], kept[1], "each call draws for itself")
        self.assertAlmostEqual(sum(kept[1]) / len(kept[1]), 0.5, delta=0.15)
        h, up = model.output("h")[0], random.Random(1)
        wanted = [up.gauss(0, 1) for _ in range(2 * len(h))][len(h):]
        plain = sum(a * b for a, b in zip(h, wanted)) / 8
        self.assertAlmostEqual(loss - plain, 0.1 * sum(sum(a * a for a in run) / len(run) for run in u), delta=1e-12)
        model.backward()
        model.step()
        # each call reads a vector of mean square 1, but for what the norm adds
        self.assertAlmostEqual(model.parameters["trunk.a.square"].data[0], 2, delta=1e-4)

    def test_threads(self):
        known = None
        for threads in (1, 2, 3):
            model, _ = self.model("a = heun : noisy(9); b = midpoint : attention(1); c = mixed : bend;",
                                  samples=9, threads=threads, f64=False)
            for _ in range(4):
                state = self.gradients(model)
                model.step()
            known = known or state
            self.assertEqual(state, known)

    def test_parts_and_maps(self):
        """A connection that calls begins and ends apart, and is read and written as a whole."""
        file = self.write("heun.hc", CONNECTIONS)
        for part, good in (("begin", True), ("end", True), ("read", False), ("write", False), ("turn", False)):
            result = harness.hcc("emit", file, "--connection", "heun", "--set", "d=8", "--part", part)
            self.assertEqual(result.code == 0, good, repr(result)[-500:])
            if not good:
                self.assertIn(f"`trunk.0.0.site` calls its branch, so there is no `{part}` apart", result.err)
        network = self.write("maps.hc", SMALL.replace("SITES", "a = heun : bend; b = coupled : bend & bend;")
                             .replace("b = coupled", "} ; let g = trunk(h) { b = coupled")
                             .replace("probe h;\n", "").replace("* h[c]", "* g[c]")
                             + "train m { data table { x[t, c] = columns[c]; up[t, c] = columns[c]; } }")
        rows = self.write("rows.csv", "1,2,3,4,5\n" * 8)
        maps = self.expect(harness.hcc("inspect", network, "--maps", "--data", rows)).out
        self.assertRegex(maps, r"read +h\n +x +1\.0000\n +x_2 +1\.0000\n")
        self.assertRegex(maps, r"write +y +y_2\n +h +0\.5000 +0\.5000\n")
        self.assertRegex(maps, r"read +a +b\n +x\.0 +0\.0000 +1\.0000\n +x\.1 +1\.0000 +0\.0000\n")

    def test_pictures(self):
        picture = self.expect(harness.hcc("graph", self.write("calls.hc", NETWORK))).out
        self.assertIn("heun reads norm(h), norm(e), runs attention(1), and writes the result", picture)
        self.assertIn("midpoint reads rule(branch, h, norm), runs", picture)
        self.assertIn("coupled reads norm(b), norm(p), runs attention(1) and mlp(9), and writes", picture)


if __name__ == "__main__":
    harness.main(__name__)
