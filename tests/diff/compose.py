#!/usr/bin/env python3
"""Connections that compose: different states in one trunk; what a trunk gives beside its result.

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
        """At widths about the lanes' multiples, by optimised code, by plain code and by the interpreter."""
        file = self.write(name, text)
        for width in harness.share(widths, 6):
            found = {}
            for options in ((), ("-O0",), ("--interpret",)) if width < 64 else ((), ("-O0",)):
                with self.subTest(width=width, options=options):
                    result = self.expect(harness.hcc("gradcheck", file, "--json", "--set", f"d={width}", *options))
                    found[options] = json.loads(result.out)
                    for one in found[options]["parameters"]:
                        self.assertIn(one["verdict"], ("ok", "none"), one)
            for other in found.values():
                self.assertAlmostEqual(found[()]["loss"], other["loss"], delta=1e-11 * abs(other["loss"]) + 1e-11)
                for a, b in zip(found[()]["parameters"], other["parameters"]):
                    self.assertEqual(a["verdict"], b["verdict"])
                    if a["analytic"] > 1e-4:  # smaller ones may be looked at in other directions
                        self.assertAlmostEqual(a["analytic"], b["analytic"], delta=1e-10 * (1 + b["analytic"]))
        return found[()]

    def model(self, text, samples=2, threads=1, f64=True):
        file = self.write("small.hc", text)
        model = Model(build(self.path(f"m{len(os.listdir(self.folder))}.so"), file=file, f64=f64), samples, 4, threads)
        self.addCleanup(model.close)
        model.init(5)
        draw = random.Random(1)
        for name in ("x", "up"):
            model.set_input(name, [draw.gauss(0, 1) for _ in range(samples * 4 * 5)])
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

    def tapped(self, sites, weight, taps, probe):
        text = SMALL.replace("connection plain", STREAMS + "connection plain").replace("SITES", sites)
        text = text.replace("probe h;", f"{taps} let p = {probe}; probe p;").replace("WEIGHT", weight)
        return self.model(text)

    def test_a_penalty_of_coefficients_is_that_in_the_connection(self):
        sites = "repeat 3 { a = streams(weight = WEIGHT) : bend; }"
        inside = self.tapped(sites, "0.3", "", "h")
        outside = self.tapped(sites, "0", "for k < 3 { penalty 0.3 * (sum[i, j] (h.a[k].M[i,j] - identity[i,j])^2); }",
                              "h")
        for model in (inside, outside):
            model.forward()
            model.backward()
        self.assertEqual(list(inside.output("p")[0]), list(outside.output("p")[0]))
        for name, one in inside.parameters.items():
            for a, b in zip(one.gradient, outside.parameters[name].gradient):
                self.assertAlmostEqual(a, b, delta=1e-13, msg=name)

    def test_a_middle_layer_is_the_end_of_a_shorter_trunk(self):
        """What turn 2 finds is what a trunk of two turns leaves; what it reads and gives, by Python."""
        longer = self.tapped("repeat 4 { a = streams : bend; }", "0", "", "h.a[2].H")
        short = self.tapped("repeat 2 { a = streams : bend; }", "0", "", "h.state.H")
        read, given = (self.tapped("repeat 4 { a = streams : bend; }", "0", "", f"h.a[2].{v}") for v in "xy")
        for name, one in short.parameters.items():
            one.data[:] = longer.parameters[name].data[:]
        for other in (read, given):
            for name, one in other.parameters.items():
                one.data[:] = longer.parameters[name].data[:]
        H, H2, x, y = ([list(m.forward() and m.output("p")[0]) for m in (longer, short, read, given)])
        self.assertEqual(H, H2)
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


if __name__ == "__main__":
    harness.main(__name__)
