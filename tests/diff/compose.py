#!/usr/bin/env python3
"""Connections that compose: different states in one trunk; what a trunk gives beside its result; one around another.

Derivatives against differences, compiled code against the interpreter, and equality with one connection by hand."""

import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

WIDTHS = (33, 31, 32, 64, 65, 257)
SHAPES = """
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
"""
UNION = SHAPES + """
connection memory(m = 3, norm = rmsnorm) {
  state h[d], K[m, d];
  param R[m], W[m] ~ normal(0.5);
  begin h = x, K[i,c] = 0.1 * (i + 1) * x[c];
  let u[c] = h[c] + sum[i] R[i] * K[i,c];
  read x = norm(u);
  write h[c] = h[c] + y[c];
  write K[i,c] = K[i,c] + W[i] * y[c];
  end x = norm(u);
}
connection gathered(norm = rmsnorm) {
  state X[depth, d];
  param A[depth] ~ normal(0.5);
  begin X[0,c] = x[c];
  let u[c] = sum[j] A[j] * X[j,c];
  read x = norm(u);
  append X[c] = y[c];
  end x = X[0];
}
connection joined(norm = rmsnorm) {
  state X[depth, d], h[d];
  begin X[0,c] = x[c], h = x;
  param A[depth] ~ normal(0.5);
  let u[c] = sum[j] A[j] * X[j,c];
  read x = norm(h);
  write h[c] = h[c] + y[c] * u[c], X = X;
  end x = norm(h);
}
model m {
  const d = 33;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  param a[d] ~ normal(1);
  let z[c] = a[c] * x[c];
  let h = trunk(z) {
    a = residual : bend;
    b = memory : mlp(9);
    repeat 2 { c = gathered : bend; e = residual : attention(1); f = memory : bend; }
    g = shc(n = 2) : bend;
    i = joined : bend;
  };
  let g = trunk(h) { a = shc(n = 2) : bend; b = memory : bend; c = shc(n = 2) : bend; e = memory : bend; };
  let k = trunk(g) { a = shc(n = 2) : bend; b = gathered : bend; c = residual : bend; };
  let s[c] = h[c] + g[c] + k[c];
  loss sum[c] up[c] * s[c];
}
"""
STREAMS = """
connection streams(n = 3, weight = 0, norm = rmsnorm) {
  state H[n, d];
  carry total = 0;
  param L[n, n], b[n] ~ normal(1);
  begin H[i,c] = (i + 1) * x[c];
  let u[c] = sum[i] H[i,c];
  read x = norm(u);
  let M[k,j] = softmax[j] L[k,j];
  write H[k,c] = (sum[j] M[k,j] * H[j,c]) + b[k] * y[c], total = total + 1;
  penalty weight * (sum[i, j] (M[i,j] - identity[i,j])^2);
  let s[c] = sum[i] H[i,c];
  end x = norm(s);
}
connection heun(norm = rmsnorm) {
  state h[d];
  begin h = x;
  let k      = branch(norm(h));
  let e[c]   = h[c] + k[c];
  write h[c] = h[c] + 0.5 * (k[c] + branch(norm(e))[c]);
  end x = norm(h);
}
connection fed(norm = rmsnorm) : z[e] {
  state h[d];
  param P[d, e] ~ normal(0.3);
  begin h = x;
  let u[c]   = h[c] + sum[a] P[c,a] * z[a];
  read x     = norm(u);
  write h[c] = h[c] + y[c];
  end x      = norm(h);
}
branch opened(hidden) : x[d] -> y[d], gate {
  param U[hidden, d], D[d, hidden], g[d] ~ normal(0.2);
  let u[k] = tanh(sum[c] U[k,c] * x[c]);
  let y[c] = sum[k] D[c,k] * u[k];
  let gate = sigmoid(sum[c] g[c] * x[c]);
}
"""
# A head on a middle layer, distillation, a coupled trunk, losses on coefficients and streams.
TAPS = SHAPES + STREAMS + """
model m {
  const d = 33, blocks = 3;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  param a[d] ~ normal(1);
  let z[c] = a[c] * x[c];
  let h = trunk(z) {
    first = streams : bend;
    repeat blocks { a = streams : opened(9); repeat 2 { b = streams : bend & mlp(7); } }
  };
  let g = trunk(z) {
    a = fed(h.a[1].x) : attention(1);
    b = fed(h.state.H[1]) : bend;
    repeat 2 { c = heun : bend; }
  };
  for k < blocks {
    let w[c] = sum[i] h.a[k].H[i,c] * h.a[k].M[0,i];
    penalty 0.1 * (k + 1) * (mean[c] (w[c] - h.b[k, 1].y[c])^2) + h.a[k].gate * h.a[k].total;
  }
  let s[c] = g[c] + h.first.y[c] * g.c[1].x_2[c] + g.c[0].y_2[c] * g.c[1].e[c];
  loss sum[c] up[c] * s[c];
}
"""
AROUND = """
connection eased(inner = plain, g = 0.7) {
  around inner;
  write each old, new = old + g * (new - old);
}
connection learnt(inner = plain) {
  around inner;
  param g[d], b ~ normal(1);
  let open = sigmoid((sum[c] g[c] * inner.x[c]) + b);
  write each old, new = old + open * (new - old);
}
connection softly(inner = plain, g = 0.7) {
  around inner;
  write y[c] = g * y[c];
}
connection beside(inner = plain, norm = rmsnorm) {
  around inner;
  state e[d];
  param a[d], o[d] ~ normal(0.5);
  begin e = x;
  let f      = norm(e);
  read x[c]  = inner.x[c] + a[c] * f[c];
  write e[c] = 0.5 * e[c] + y[c];
  end x[c]   = inner.end[c] + o[c] * norm(e)[c];
}
connection sometimes(inner = plain, drop = 0.5) {
  around inner;
  let keep = select(training > 0, select(random(each = sample) < drop, 0, 1), 1);
  write each old, new = old + keep * (new - old);
}
connection through(inner = plain) { around inner; }
connection counted(norm = rmsnorm) {
  state h[d];
  carry total = 0.5;
  begin h = x;
  read x = norm(h);
  write h[c] = h[c] + y[c] / (1 + total), total = total + 0.25;
  end x = norm(h);
}
connection grows(norm = rmsnorm) {
  state X[depth, d];
  param A[depth] ~ normal(0.5);
  begin X[0,c] = x[c];
  let u[c] = sum[j] A[j] * X[j,c];
  read x = norm(u);
  append X[c] = y[c];
  let s[c] = sum[j] X[j,c];
  end x = norm(s);
}
connection wider(norm = rmsnorm, map = linear) {
  state h[d];
  begin h = x;
  read x = norm(h);
  if extent(y) == d { let r = h; } else { let r = map(h, extent(y)); }
  write h[c < extent(y)] = r[c] + y[c];
  end x = norm(h);
}
connection each(norm = rmsnorm) {
  state h[d];
  param B[branches] ~ normal(1);
  begin h = x;
  read xs[b < branches, c] = norm(h)[c] * (b + 1);
  write h[c] = h[c] + gate * (sum[b] B[b] * ys[b,c]);
  end x = norm(h);
}
connection each_changed(inner = each) {
  around inner;
  param g ~ normal(1);
  write ys[b,c] = g * ys[b,c], gate = gate + 0.5;
}
connection fed_again(z_scale = 0.5) : z[e] {
  around fed(z = z);
  write y[c] = y[c] + z_scale * (sum[a] z[a]) * fed.u[c];
}
"""
AROUND_MODEL = SHAPES + STREAMS.replace("connection heun", "connection plain(norm = rmsnorm) { state h[d]; begin h = x; "
    "read x = norm(h); write h[c] = h[c] + y[c]; end x = norm(h); }\nconnection heun") + AROUND + """
model m {
  const d = 33;
  positions t <= 4;
  input x[t, d] : real;
  input up[t, d] : real;
  param a[d] ~ normal(1);
  let z[c] = a[c] * x[c];
  let h = trunk(z) {
    first = learnt(inner = streams) : bend;
    repeat 2 {
      a = beside(inner = eased(inner = streams)) : attention(1);
      b = softly(inner = eased(inner = learnt)) : opened(9);
      c = learnt(inner = counted) : bend;
    }
    e = learnt(inner = heun) : bend;
    g = fed_again(z) : bend;
    i = beside(inner = beside_too(inner = streams)) : bend;
  };
  let g = trunk(h) {
    a = softly(inner = grows) : bend;
    b = beside(inner = grows) : opened(5);
    c = softly(inner = grows) : bend;
  };
  let k = trunk(g) {
    a = learnt(inner = wider) : bend; b = softly(inner = wider) : linear(19); c = each_changed : opened(3) & opened(5);
    e = softly(inner = eased(inner = wider)) : bend;
  };
  penalty 0.1 * h.a[1].inner.inner.M[0,0] + (sum[c] h.b[0].inner.g * h.c[1].h[c]) * h.c[1].open;
  loss sum[c] up[c] * (g[c] + h[c]);
  loss sum[c] k[c]^3;
}
connection beside_too(inner = plain) {
  around inner;
  state e2[d];
  begin e2 = x;
  write e2[c] = e2[c] * 0.5 + y[c], y[c] = y[c] * e2[c];
}
"""
SMALL = SHAPES + """
connection plain { state h[d]; begin h = x; read x = h; write h[c] = h[c] + y[c]; end x = h; }
connection left { state a[d]; begin a = x; read x = a; write a[c] = a[c] + y[c]; end x = a; }
connection right { state b[d]; begin b = x; read x = b; write b[c] = 0.5 * b[c] + y[c]; end x = b; }
connection both {
  state a[d], b[d];
  begin a = x, b = x;
  let u[c] = a[c] - b[c];
  read x = u;
  write a[c] = a[c] + y[c], b[c] = b[c] + 2 * y[c];
  let s[c] = a[c] * b[c];
  end x = s;
}
connection by_hand {
  state a[d], b[d];
  const to_a = block % 3 != 1, to_b = block % 3 != 0, of_both = block % 3 == 2;
  begin a = x, b = x;
  let u[c] = select(of_both, a[c] - b[c], select(to_a, a[c], b[c]));
  read x = u;
  write a[c] = a[c] + select(to_a, 1, 0) * y[c];
  write b[c] = select(block % 3 == 1, 0.5, 1) * b[c] + select(of_both, 2, select(to_b, 1, 0)) * y[c];
  let s[c] = a[c] * b[c];
  end x = s;
}
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


class Compose(harness.TestCase):
    def derivatives(self, name, text, widths=WIDTHS):
        """At widths about the lanes' multiples, by optimised code, and by plain code or the interpreter."""
        file = self.write(name, text)
        for width in harness.share(widths, 6):
            found = {}
            ways = (("-O0",), (), ("--interpret",))[: 3 if width < 64 else 2]
            for options in harness.share(ways, 3):
                with self.subTest(width=width, options=options):
                    result = self.expect(harness.hcc("gradcheck", file, "--json", "--set", f"d={width}", *options))
                    found[options] = json.loads(result.out)
                    for one in found[options]["parameters"]:
                        self.assertIn(one["verdict"], ("ok", "none"), one)
            for other in found.values():
                self.assertAlmostEqual(found["-O0",]["loss"], other["loss"], delta=1e-11 * abs(other["loss"]) + 1e-11)
                for a, b in zip(found["-O0",]["parameters"], other["parameters"]):
                    self.assertEqual(a["verdict"], b["verdict"])
                    if a["analytic"] > 1e-4:  # smaller ones may be looked at in other directions
                        self.assertAlmostEqual(a["analytic"], b["analytic"], delta=1e-10 * (1 + b["analytic"]))
        return found["-O0",]

    def model(self, text, samples=2, threads=1, f64=True):
        file = self.write("small.hc", text)
        model = Model(build(self.path(f"m{len(os.listdir(self.folder))}.so"), file=file, f64=f64), samples, 4, threads)
        self.addCleanup(model.close)
        model.init(5)
        draw = random.Random(1)
        self.drawn = {name: [draw.gauss(0, 1) for _ in range(samples * 4 * 5)] for name in ("x", "up")}
        for name, values in self.drawn.items():
            model.set_input(name, values)
        return model

    def state(self, model):
        loss = model.forward()
        model.backward()
        return loss, list(model.output("h")[0]), {name: list(p.gradient) for name, p in model.parameters.items()}

    def assert_same(self, one, other, delta=1e-12):
        self.assertAlmostEqual(one[0], other[0], delta=delta)
        self.assertEqual(list(one[2]), list(other[2]))
        for a, b in [(one[1], other[1]), *zip(one[2].values(), other[2].values())]:
            for p, q in zip(a, b):
                self.assertAlmostEqual(p, q, delta=delta)

    # --- states of one trunk --------------------------------------------------------------------------

    def test_union_derivatives(self):
        lost = {one["name"] for one in self.derivatives("union.hc", UNION)["parameters"] if one["verdict"] == "none"}
        # the residual after `gathered`, and what the last sites write to states that nothing reads
        self.assertTrue({"h.g.W", "k.b.W"} <= lost, lost)
        self.assertFalse({"h.a.W", "h.0.c.W", "h.1.f.W", "g.b.W"} & lost, lost)

    def test_union_is_one_connection_by_hand(self):
        """Each keeps its own and leaves the others alone; what begins late begins from the trunk's input."""
        union = self.model(SMALL.replace("SITES", "repeat 2 { a = left : bend; b = right : bend; c = both : bend; }"))
        hand = self.model(SMALL.replace("SITES", "repeat 6 { a = by_hand : bend; }"))
        for a, b in zip(union.parameters.values(), hand.parameters.values()):
            b.data[:] = a.data[:]
        one, other = self.state(union), self.state(hand)
        self.assert_same((*one[:2], dict(zip(other[2], one[2].values()))), other)

    def test_what_is_left_alone_costs_nothing(self):
        alone = self.state(self.model(SMALL.replace("SITES", "a = plain : bend; b = plain : bend;")))
        beside = self.state(self.model(SMALL.replace("SITES", "a = plain : bend; aside = left : bend; b = plain : bend;")))
        self.assertEqual(beside[:2], alone[:2])
        self.assertEqual({n: g for n, g in beside[2].items() if "aside" not in n}, alone[2])
        self.assertEqual(set(beside[2]["trunk.aside.W"]), {0})

    # --- what a trunk gives ---------------------------------------------------------------------------

    def test_taps_derivatives(self):
        lost = {one["name"] for one in self.derivatives("taps.hc", TAPS)["parameters"] if one["verdict"] == "none"}
        self.assertEqual(lost, set())

    def tapped(self, sites, weight, taps):
        text = SMALL.replace("connection plain", STREAMS + "connection plain").replace("SITES", sites)
        return self.model(text.replace("probe h;", taps).replace("WEIGHT", weight))

    def test_a_penalty_of_coefficients_is_that_in_the_connection(self):
        sites = "repeat 3 { a = streams(weight = WEIGHT) : bend; }"
        inside = self.tapped(sites, "0.3", "probe h;")
        outside = self.tapped(sites, "0", "probe h; for k < 3 { penalty 0.3 * (sum[i, j] (h.a[k].M[i,j] - identity[i,j])^2); }")
        for model in (inside, outside):
            model.forward()
            model.backward()
        self.assertEqual(list(inside.output("h")[0]), list(outside.output("h")[0]))
        for name, one in inside.parameters.items():
            for a, b in zip(one.gradient, outside.parameters[name].gradient):
                self.assertAlmostEqual(a, b, delta=1e-13, msg=name)

    def test_a_middle_layer_is_the_end_of_a_shorter_trunk(self):
        """What turn 2 finds is what a trunk of two turns leaves; what it reads and gives, by Python."""
        taps = " ".join(f"let {name} = h.a[2].{value}; probe {name};" for name, value in zip("pqr", "Hxy"))
        longer = self.tapped("repeat 4 { a = streams : bend; }", "0", taps)
        short = self.tapped("repeat 2 { a = streams : bend; }", "0", "let p = h.state.H; probe p;")
        for name, one in short.parameters.items():
            one.data[:] = longer.parameters[name].data[:]
        for model in (longer, short):
            model.forward()
        H, x, y = (list(longer.output(name)[0]) for name in "pqr")
        self.assertEqual(H, list(short.output("p")[0]))
        W = longer.parameters["trunk.2.a.W"].data
        for at in range(0, len(x), 5):
            u = [sum(H[3 * at + 5 * i + c] for i in range(3)) for c in range(5)]
            scale = (sum(c * c for c in u) / 5 + 1e-6) ** -0.5
            for c in range(5):
                self.assertAlmostEqual(x[at + c], u[c] * scale, delta=1e-12)
                self.assertAlmostEqual(y[at + c], math.tanh(sum(W[5 * c + a] * x[at + a] for a in range(5))), delta=1e-12)

    def test_what_is_not_asked_for_costs_nothing(self):
        plain, tapped = (json.loads(self.expect(harness.hcc("info", "--json", self.write(name, text))).out)
                         for name, text in (("plain.hc", UNION),
                                            ("tapped.hc", UNION.replace("loss sum", "let v = h.b.K; let w = g.state.K; loss sum"))))
        self.assertEqual(plain, tapped)

    # --- one around another ---------------------------------------------------------------------------

    def test_around_derivatives(self):
        found = self.derivatives("around.hc", AROUND_MODEL)["parameters"]
        # `o` is of the last site's end, and nobody takes the gates of these
        self.assertEqual({one["name"] for one in found if one["verdict"] == "none"},
                         {"h.0.a.hc.o", "h.1.a.hc.o", "g.b.hc.o", "h.0.b.g", "h.1.b.g", "g.b.g"})
        names = {one["name"] for one in found}
        self.assertTrue({"h.first.hc.inner.L", "h.1.a.hc.inner.inner.b", "h.0.b.hc.inner.inner.g", "h.g.hc.fed.P"} <= names, names)

    def wired(self, wiring, threads=1, samples=2, f64=True):
        text = SMALL.replace("connection plain", STREAMS + AROUND + "connection plain")
        return self.model(text.replace("SITES", f"repeat 2 {{ a = {wiring} : opened(3); b = {wiring} : bend; }}"),
                          threads=threads, samples=samples, f64=f64)

    def test_around_that_changes_nothing(self):
        """A gate of 1, or nothing said at all, is the inner one alone: values and gradients."""
        for inner in harness.share(("streams", "grows", "counted", "heun"), 4):
            model = self.wired(inner)
            values = {name: p.data[:] for name, p in model.parameters.items()}
            alone = self.state(model)
            wirings = [f"through(inner = {inner})"]
            if inner != "grows":
                wirings.append(f"eased(inner = through(inner = {inner}), g = 1)")
            if inner != "heun":
                wirings.append(f"softly(inner = {inner}, g = 1)")
            for wiring in wirings:
                with self.subTest(wiring=wiring):
                    around = self.wired(wiring)
                    for name, one in around.parameters.items():  # they begin by their names
                        one.data[:] = values[name.replace("inner.", "")]
                    loss, h, gradients = self.state(around)
                    gradients = {name.replace("inner.", ""): g for name, g in gradients.items()}
                    self.assert_same((loss, h, {name: gradients[name] for name in alone[2]}), alone)

    def test_a_gate_of_nothing_leaves_the_states(self):
        """All sites closed: the trunk is its begin and end."""
        closed = self.wired("eased(inner = streams, g = 0)")
        _, h, _ = self.state(closed)
        x = self.drawn["x"]
        for at in range(0, len(x), 5):
            u = [6 * x[at + c] for c in range(5)]
            scale = (sum(c * c for c in u) / 5 + 1e-6) ** -0.5
            for c in range(5):
                self.assertAlmostEqual(h[at + c], u[c] * scale, delta=1e-12)

    def test_by_hand(self):
        """A stream beside streams, written out."""
        around = self.wired("beside(inner = streams, norm = rmsnorm)")
        hand = SMALL.replace("connection plain", STREAMS + """
connection hand(n = 3, norm = rmsnorm) {
  state H[n, d], e[d];
  param L[n, n], b[n] ~ normal(1);
  param a[d], o[d] ~ normal(0.5);
  begin H[i,c] = (i + 1) * x[c], e = x;
  let u[c] = sum[i] H[i,c], v = norm(u), f = norm(e);
  read x[c] = v[c] + a[c] * f[c];
  let M[k,j] = softmax[j] L[k,j];
  write H[k,c] = (sum[j] M[k,j] * H[j,c]) + b[k] * y[c], e[c] = 0.5 * e[c] + y[c];
  let s[c] = sum[i] H[i,c];
  end x[c] = norm(s)[c] + o[c] * norm(e)[c];
}
connection plain""")
        hand = self.model(hand.replace("SITES", "repeat 2 { a = hand : opened(3); b = hand : bend; }"))
        for name, one in around.parameters.items():
            hand.parameters[name.replace("inner.", "")].data[:] = one.data[:]
        one, other = self.state(around), self.state(hand)
        gradients = {name.replace("inner.", ""): g for name, g in one[2].items()}
        self.assert_same((*one[:2], {name: gradients[name] for name in other[2]}), other)

    def test_a_sample_passes_a_site_by(self):
        """In training a sample's states are as written or as they were, all of them; threads change nothing."""
        known = None
        for threads in (1, 2):
            model = self.wired("sometimes(inner = streams, drop = 0.5)", threads=threads, samples=24)
            model.training(True)
            state = self.state(model)
            known = known or state
            self.assertEqual(state, known)
        plain = self.wired("streams", samples=24)
        for name, one in plain.parameters.items():
            one.data[:] = model.parameters[name.replace(".hc.", ".hc.inner.")].data[:]
        _, whole, _ = self.state(plain)
        same = [known[1][at : at + 20] == whole[at : at + 20] for at in range(0, len(whole), 20)]
        self.assertTrue(any(same) or True not in same)
        self.assertLess(sum(same), len(same))

    def test_parts_of_one_around_another(self):
        file = self.write("around.hc", AROUND_MODEL.split("model m")[0])
        for part in ("begin", "read", "write", "end"):
            self.expect(harness.hcc("emit", file, "--connection", "beside(inner = eased(inner = streams))", "--set", "d=8",
                                    "--part", part))
        picture = self.expect(harness.hcc("graph", self.write("net.hc", AROUND_MODEL))).out
        self.assertIn("h.0.a: beside(inner = eased(inner = streams)) reads inner.x[c] + a[c] * f[c], runs attention(1), "
                      "mixes the streams, and writes the result", picture)


if __name__ == "__main__":
    harness.main(__name__)
