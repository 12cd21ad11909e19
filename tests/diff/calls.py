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


SHARED = """
module scaled : x[d] -> y[d] { param g[d] ~ normal(1); let y[c] = g[c] * x[c]; }
module wide(out) : x[d] -> y[out] { param W[out, d] ~ normal(0.3); let y[k] = tanh(sum[c] W[k,c] * x[c]); }
fn twice(f, x[d]) -> y[d] { let u = f(x); let y[c] = f(u)[c] + f(x)[c]; }
connection sandwich(norm = scaled) {
  state h[d]; begin h = x; read x = norm(h); write h[c] = h[c] + norm(y)[c]; end x = norm(h);
}
connection apart(norm = scaled) {
  let before = norm, after = norm;
  state h[d]; begin h = x; read x = before(h); write h[c] = h[c] + after(y)[c]; end x = norm(h);
}
branch both(map = wide(out = 33)) : x[d] -> y[d] {
  let u = map(x);
  let z = x;
  iterate 2 { z[c] = z[c] + map(z)[c]; }
  let y[c] = u[c] + map(z)[c] + twice(map, x)[c];
}
model m {
  const d = 33, block = wide(out = d), thin = mlp(9);
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  let one = block, other = block, tied = thin;
  let a = twice(one, x);
  let b = twice(block, a);
  let h = trunk(b) {
    i = sandwich : both; j = apart : tied; k = residual : tied; l = apart(norm = one) : tied; m = sandwich : linear(d);
  };
  let z[c] = h[c] + other(x)[c] + other(h)[c];
  loss sum[c] up[c] * z[c];
}
"""
SEVERAL = """
module both : x[d] -> n[d], g { param W[d] ~ normal(1); let n[c] = W[c] * x[c]; let g = sum[c] n[c]^2 * 0.01; }
fn halves(x[d]) -> a[e], b[e] { const e = d / 2; let a[k < e] = x[k]; let b[k < e] = x[e + k]; }
branch gated(hidden) : x[d] -> y[d], gate {
  param U[hidden, d], D[d, hidden] ~ normal(0.2);
  param T[2, hidden] ~ normal(1);
  let u[k] = tanh(sum[c] U[k,c] * x[c]) * T[block + site, k] + T[site, k];
  let y[c] = sum[k] D[c,k] * u[k];
  let gate = sigmoid(u[0]);
}
connection opened(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let y, gate = branch(norm(h));
  let e[c] = h[c] + gate * y[c];
  let z, _ = branch(norm(e));
  write h[c] = e[c] + 0.5 * z[c];
  end x = norm(h);
}
model m {
  const d = 34;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  let n, g = both(x);
  let p, q = halves(n), z[c] = n[c] * g;
  let h = trunk(z) { a = opened : gated(5); b = opened : gated(5) & gated(7); };
  loss sum[c] up[c] * h[c];
  loss (sum[k] p[k] * q[k]) * 0.1;
}
"""
NAMED = """
module wide(out) : x[d] -> y[out] { param W[out, d] ~ normal(0.2); let y[k] = sum[c] W[k,c] * x[c]; }
fn twice(f, x[d]) = f(f(x));
fn own(x[d]) = wide(x, d) as inner;
connection peri(norm = rmsnorm_affine() as pre) {
  state h[d];
  begin h = x;
  read x = norm(h);
  write h[c] = h[c] + (rmsnorm_affine(y) as post)[c];
  end x = rmsnorm(h);
}
model m {
  const d = 5, block = wide(out = d) as third;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  let LOCAL = wide(x, d) as first;
  let u[c] = tanh((wide(LOCAL, d) as second)[c]) + (wide(LOCAL, d) as loss)[c];
  let map = block;
  let v = own(twice(map, u)) as fourth;
  let h = trunk(v) { a = peri : linear(d); };
  loss sum[c] up[c] * h[c];
}
"""
GIVEN_NAMES = """first.W second.W loss.W third.W fourth.inner.W trunk.a.hc.pre.gain trunk.a.W
trunk.a.hc.post.gain""".split()
SHARED_NAMES = """one.W b.f.W trunk.i.hc.norm.g trunk.i.map.W trunk.j.hc.before.g tied.W1 tied.W2 trunk.j.hc.after.g
trunk.l.hc.before.W trunk.l.hc.after.W trunk.m.hc.norm.g trunk.m.W trunk.m.hc.end.g other.W""".split()


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

    def test_given_names(self):
        """Parameters keep the names that `as` gives, whatever the locals are called."""
        for local in ("up_projection", "q"):
            file = self.write("named.hc", NAMED.replace("LOCAL", local))
            report = json.loads(self.expect(harness.hcc("gradcheck", file, "--json")).out)
            self.assertEqual([p["name"] for p in report["parameters"]], GIVEN_NAMES)
            self.assertEqual({p["verdict"] for p in report["parameters"]}, {"ok"})

    def test_several_results(self):
        file = self.write("several.hc", SEVERAL)
        reports = [json.loads(self.expect(harness.hcc("gradcheck", file, "--json", *options)).out)
                   for options in ((), ("-O0",), ("--interpret",))]
        for report in reports:
            self.assertEqual(report["parameters"][0]["name"], "n.W")
            self.assertEqual({p["verdict"] for p in report["parameters"]}, {"ok"})
            self.assertAlmostEqual(report["loss"], reports[0]["loss"], delta=1e-10)

    def test_shared_instances(self):
        """An argument is one instance, so is a `let` of a definition; a definition that is called is many."""
        file = self.write("shared.hc", SHARED)
        reports = [json.loads(self.expect(harness.hcc("gradcheck", file, "--json", *options)).out)
                   for options in ((), ("-O0",), ("--interpret",))]
        for report in reports:
            self.assertEqual([p["name"] for p in report["parameters"]], SHARED_NAMES)
            self.assertEqual({p["verdict"] for p in report["parameters"]}, {"ok"})
            self.assertAlmostEqual(report["loss"], reports[0]["loss"], delta=1e-10)

    def test_pictures(self):
        picture = self.expect(harness.hcc("graph", self.write("calls.hc", NETWORK))).out
        self.assertIn("heun reads norm(h), norm(e), runs attention(1), and writes the result", picture)
        self.assertIn("midpoint reads rule(branch, h, norm), runs", picture)
        self.assertIn("coupled reads norm(b), norm(p), runs attention(1) and mlp(9), and writes", picture)


if __name__ == "__main__":
    harness.main(__name__)
