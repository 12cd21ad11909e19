#!/usr/bin/env python3
"""Several spaces of positions in one model: what is taken from one to another, attention between two,
and numbers of positions that do not divide. Needs the standard library alone."""

import math
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Failure, Model, build, harness
from harness import hcc

HEAD = """model m {
  const d = 6;
  positions t <= 11;
  positions s <= 4;
  positions (i <= 2, j <= 3);
  positions (p <= 4, q <= 6);
  input x[t, d] : real; input z[s, d] : real; input a[i, j, d] : real; input b[p, q, d] : real;
  input n[s] : token(11);
  param W[4, d], V[d, d] ~ normal(0.5);
  let X[k] = tanh(sum[c] V[k, c] * x[c]);
"""
LOSS = {"t": "[t, d]", "s": "[s, d]", "a": "[i, j, d]", "b": "[p, q, d]", "one": "[d]"}
TAKEN = {  # where it lives, and how it is made
    "pooled": ("s", "let y[c] = mean[k < 4] W[k, c] * X[4 * s + k, c];"),
    "and back": ("t", "let m[c] = sum[k < 3] W[k, c] * X[3 * s + k - 1, c]; let o[k] = sum[c] V[c, k] * m[c];"
                      "let y[c] = X[c] * o[floor((t + 1) / 3), c];"),
    "as it is": ("s", "let y[c] = X[s, c] + X[10 - s, c] * z[c];"),
    "whole": ("s", "let m = X[2 * s + 1]; let y[c] = m[c]^2;"),
    "spread": ("t", "let m[c] = z[c] * W[0, c]; let y[c] = m[t, c] + 2 * m[t - 2, c];"),
    "within": ("t", "let y[c] = X[2 * t, c] * X[floor(t / 2), c] + X[10 - t, c];"),
    "moved": ("t", "let y[c] = sum[k < 3] W[k, c] * X[t - 2 * k + 1, c];"),
    "first": ("one", "let y[c] = X[0, c] * X[3, c];"),
    "first at each": ("t", "let y[c] = X[0, c] * X[c];"),
    "chosen": ("s", "let y[c] = X[n, c] * z[c];"),
    "largest": ("one", "let r[k < 11] = X[k, 0] * 3; let y[c] = X[argmax[k] r[k], c];"),
    "grids": ("b", "let m[c] = mean[e < 2, f < 2] b[2 * i + e, 2 * j + f, c] * W[e, c]; let o[c] = m[c] * a[c]; "
                   "let y[c] = b[c] - o[floor(p / 2), floor(q / 2), c] * W[3, c];"),
    "a line of a grid": ("t", "let m[c] = a[c] * W[0, c]; let y[c] = m[floor(t / 3), t % 3, c] * X[c];"),
    "a grid of a line": ("a", "let y[c] = X[3 * i + j, c] * a[c];"),
    "at the same of all": ("s", "let u[k] = W[0, k] * t; let y[c] = u[2 * s, c] * z[c];"),
    "moved by an index": ("t", "let y[c] = sum[k < 3] W[k, c] * X[t - k, c];"),
    "turned": ("t", "let Q[h < 1, c] = X[c], K[h < 1, c] = z[c] * W[0, c]; let o = attend(rope(Q), rope(K), K); "
                    "let y[c] = o[0, c];"),
    "depths": ("t", "let score = sum[c] W[0, c] * X[c]; let r = rank(score); "
                    "let at = argmax[u < 11] select(r[u] == s, 1, 0); let v[c] = X[at, c]; "
                    "let h = trunk(v) { a = residual : attention(2, causal = false); b = residual : ranked; }; "
                    "let back = argmax[f < 4] select(r == f, 1, 0); "
                    "let y[c] = X[c] + select(r < 4, sigmoid(score) * h[back, c], 0);"),
    "all of a grid": ("a", "let G = all_positions(a); let y[c] = a[c] * sum[e < 2, f] G[e, f, c] * W[e, c] * (f + 1);"),
    "counts": ("t", "let m[c] = mean[s] z[c] * W[0, c]; let o[c] = sum[t] X[c]; let y[c] = X[c] * m[c] + 0.1 * o[c];"),
    "looped": ("t", "let y = X; iterate 2 { let m[c] = 0.5 * y[2 * s, c]; y[c] = tanh(y[c] + m[floor(t / 3), c] * W[0, c]); }"),
    "looped with others": ("t", "let y = X; iterate 2 { y[c] = tanh(y[c] + z[floor(t / 3), c] * W[0, c]); }"),
    "looped in both": ("t", "let y = X, m = z; iterate 3 { let o = y; y[c] = tanh(y[c] + m[floor(t / 3), c] * W[0, c]); "
                            "m[c] = m[c] + W[1, c] * o[2 * s + 1, c]; }"),
    "in a branch": ("s", "let h = trunk(z) { a = residual : joined(k = X); b = residual : attention(2, causal = false); }; let y = h;"),
}
ATTEND = """branch cross(heads) : q[d], k[e] = q, v[f] = k, seen = true -> y[d] {
  const w = floor(d / heads);
  param Wq[heads, w, d], Wk[heads, w, e], Wv[heads, w, f], Wo[d, heads, w] ~ normal(0.4);
  let Q[h, a] = sum[c] Wq[h, a, c] * q[c];
  let K[h, a] = sum[c] Wk[h, a, c] * k[c];
  let V[h, a] = sum[c] Wv[h, a, c] * v[c];
  let o = attend(Q, K, V, mask = seen);
  let y[c] = sum[h, a] Wo[c, h, a] * o[h, a];
}
model coded {
  const d = %(d)d, e = 5;
  positions t <= 70 causal;
  positions s <= 40;
  input z[s, e] : real; input x[t, d] : real; input here[s] : token(3);
  target y[t, d] : real;
  let Z = trunk(z) { a = residual : cross(1, seen = here > 0); b = residual : mlp(4); };
  let h = trunk(x) {
    self  = %(connection)s : attention(2, causal = true);
    cross = %(connection)s : cross(2, k = Z, seen = here > 0);
    mlp   = %(connection)s : mlp(8);
  };
  probe Z; probe h;
  loss mse(h, y);
}
"""
CROSS = """model crossed {
  const e = %(e)d;
  positions t <= 50;
  positions s <= 70;
  input q[t, e] : real; input k[s, e] : real; input v[s, 3] : real; input up[t, 3] : real;
  param S[3] = 1, B[2, 11] ~ normal(1);
  let Q[h < 2, a] = S[0] * q[a], K[h < 1, a] = S[1] * k[a], V[h < 1, a] = S[2] * v[a];
  let o = attend(Q, K, V, scale = 0.3%(bias)s);
  probe o;
  loss sum[h, a] up[a] * o[h, a] * (1 + h);
}
"""
BIASED = """branch biased(heads, causal = true, far = 4) : q[d], k[d] = q -> y[d] {
  const w = 2;
  param Wq[heads, w, d], Wk[1, w, d], Wv[1, w, d], Wo[d, heads, w], B[heads, far] ~ normal(0.4);
  let Q[h, a] = sum[c] Wq[h, a, c] * q[c];
  let K[h, a] = sum[c] Wk[h, a, c] * k[c];
  let V[h, a] = sum[c] Wv[h, a, c] * k[c];
  let o = attend(Q, K, V, causal = causal, bias = B);
  let y[c] = sum[h, a] Wo[c, h, a] * o[h, a];
}
model m {
  const d = 6;
  positions t <= 90;
  positions s <= 30;
  input x[t, d] : real; input z[s, d] : real; target y[t, d] : real;
  param B[5] ~ normal(1);
  let slope[h < 2, j < 6] = -0.5 * (h + 1) * j + B[min(j, 4)];
  let h = trunk(x) {
    a = residual : biased(2);
    b = residual : biased(3, causal = false, far = 3);
    e = residual : biased(2, causal = false, far = 7, k = z);
    f = residual : attention(2, bias = slope);
    g = residual : attention(2, causal = false, bias = B);
  };
  loss mse(h, y);
}
"""
BRANCH = """fn rank(score) -> r {
  let all = all_positions(score);
  let r = sum[u] select(all[u] > score || (all[u] == score && u < here), 1, 0);
}
branch ranked : x[d] -> y[d] {
  param w[d] ~ normal(0.5);
  let score = sum[c] w[c] * x[c];
  let all = all_positions(x);
  let best = max[u] all_positions(score)[u];
  let y[c] = select(rank(score) < 2, score * x[c], best) + 0.1 * sum[u] all[u, c] * w[c];
}
branch joined : x[d], k[d] -> y[d] {
  param U[d, d] ~ normal(0.4);
  let m[c] = sum[e] U[c, e] * k[e];
  let r[c] = m[here * 2 + 1, c];
  let y[c] = r[c] * x[c] + x[c];
}
"""


class Spaces(harness.TestCase):
    def right(self, source, *options, **constants):
        for name, value in constants.items():
            options += ("--set", f"{name}={value}")
        result = hcc("gradcheck", self.write("m.hc", source), *options)
        self.assertEqual(result.code, 0, repr(result)[-2500:])

    def source(self, name):
        place, text = TAKEN[name]
        axes = LOSS[place]
        wanted = f"target w{axes} : real;\n  "
        return BRANCH + HEAD + "  " + wanted + text + "\n  loss sum[c] (y[c] - w[c])^2;\n}\n"

    def test_taken(self):
        for name in TAKEN:
            with self.subTest(name):
                self.right(self.source(name))
        for name in ("and back", "grids", "depths"):
            with self.subTest(name, interpreted=True):
                self.right(self.source(name), "--interpret")
            for width in (66,):
                with self.subTest(name, width=width):
                    self.right(self.source(name), d=width)

    def test_tables_of_positions(self):
        """What is read by position alone, in both spaces, is summed over samples by one kernel for both."""
        for lengths in ((6, 3), (3, 6)):
            with self.subTest(lengths):
                self.right("""model q {
  const d = 8;
  positions t <= %d;
  positions s <= %d;
  input  x[t, d] : real;
  input  z[s, d] : real;
  target y[t, d] : real;
  param A[6, d], B[6, d] ~ normal(0.5);
  let at[c] = A[t,c], from[c] = B[s,c];
  let m[c] = tanh(z[c] + from[c]), u[c] = tanh(x[c] + at[c]);
  let g[c] = mean[s] m[c];
  let h[c] = u[c] * g[c];
  loss sum[c] (h[c] - y[c])^2;
}
""" % lengths)

    def test_encoder_and_decoder(self):
        for connection, d in (("residual", 4), ("mhc(n = 2)", 6)):
            source = ATTEND % {"d": d, "connection": connection}
            for options in ([], ["--interpret"]):
                with self.subTest(connection, options=options):
                    self.right(source, *options)

    def load(self, source, samples, positions, f64):
        name = self.path(f"m{len(os.listdir(self.folder))}")
        with open(name + ".hc", "w", encoding="utf-8") as to:
            to.write(source)
        model = Model(build(name + ".so", file=name + ".hc", f64=f64), samples, positions)
        self.addCleanup(model.close)
        model.init(1)
        return model

    def test_extents(self):
        """Two numbers of positions, neither the most nor in step, in both precisions."""
        samples, e, most = 3, 4, (50, 70)
        for f64, bias in ((True, ""), (False, ""), (True, ", bias = B"), (False, ", bias = B")):
            model = self.load(CROSS % {"e": e, "bias": bias}, samples, most[0], f64)
            far = model.parameters["B"].data
            for t_count, s_count in ((50, 70), (33, 17), (5, 66)):
                model.resize(samples, t_count)
                model.resize_space(1, s_count)
                draw = random.Random(t_count)
                data = {}
                for word, n, width in (("q", t_count, e), ("k", s_count, e), ("v", s_count, 3), ("up", t_count, 3)):
                    data[word] = [[[draw.randint(-64, 64) / 32 for _ in range(width)] for _ in range(n)]
                                  for _ in range(samples)]
                    model.set_input(word, [x for sample in data[word] for row in sample for x in row])
                loss = model.forward()
                got, dims = model.output("o")
                self.assertEqual(list(dims), [samples, t_count, 2, 3])
                got, want = iter(got), 0
                for s in range(samples):
                    for t in range(t_count):
                        scores = [0.3 * sum(x * y for x, y in zip(data["q"][s][t], key)) for key in data["k"][s]]
                        for h in range(2):
                            more = [far[11 * h + min(max(t - u + 5, 0), 10)] if bias else 0 for u in range(s_count)]
                            biased = [x + y for x, y in zip(scores, more)]
                            weights = [math.exp(x - max(biased)) for x in biased]
                            mean = [sum(w * v[a] for w, v in zip(weights, data["v"][s])) / sum(weights)
                                    for a in range(3)]
                            want += (1 + h) * sum(x * y for x, y in zip(mean, data["up"][s][t]))
                            for x in mean:
                                self.assertLess(abs(next(got) - x), 1e-12 if f64 else 1e-5)
                want /= samples * t_count
                self.assertLess(abs(loss - want), 1e-10 if f64 else 1e-3)
                if bias:
                    self.differences(model, 1e-6 if f64 else 1e-2)
            for space, n in ((1, 71), (1, 0), (2, 1), (-1, 1)):
                with self.assertRaises(Failure):
                    model.resize_space(space, n)
            self.assertTrue(abs(model.forward() - loss) < 1e-12)  # nothing has changed

    def differences(self, model, error):
        """Of the bias, at numbers of positions of which tiles are made."""
        bias = model.parameters["B"]
        model.forward_backward()
        gradient, step = list(bias.gradient), 3e-5 if error < 1e-4 else 0.02
        for k in (0, 5, 10, 13, 16):
            kept, losses = bias.data[k], []
            for x in (kept + step, kept - step):
                bias.data[k] = x
                losses.append(model.forward())
            bias.data[k] = kept
            self.assertLess(abs((losses[0] - losses[1]) / (2 * step) - gradient[k]), error, k)
        model.forward()

    def test_logits_of_the_second(self):
        """A model is built whichever space its logits live at, though only those of the first are extended."""
        source = """model m {
  positions t <= 2; positions s <= 3;
  input u[t, 2] : real; input z[s, 2] : real; target y[s] : token(4);
  param W[4, 2] ~ normal(0.5);
  let L[k] = (sum[c] W[k, c] * z[c]) + u[s, 0];
  loss cross_entropy(L, y);
}
"""
        self.right(source)
        told = hcc("gradcheck", self.path("m.hc")).out.splitlines()[-1]
        self.assertTrue(told.endswith("of 2 samples of 2 and 3 positions"), told)
        model = self.load(source, 2, 2, True)
        model.init(1)
        model.set_input("u", [1, 2, 3, 4] * 2)
        model.set_input("z", [0.5, -1, 2, 0.25, 1, 3] * 2)
        model.set_input("y", [0, 3, 1] * 2)
        self.assertGreater(model.forward(), 0)

    def test_bias(self):
        """By head and distance: causal or not, in groups of heads, near and far, and of another space."""
        for width in (6, 66):
            for options in ([], ["--interpret"]):
                self.right(BIASED, *options, d=width)

    def test_taken_values(self):
        """What is taken from elsewhere, at numbers of positions at which maps leave them."""
        source = """model m {
  positions t <= 11; positions s <= 4;
  input x[t, 2] : real; input z[s] : real;
  let p[c] = x[3 * s + 1, c] + z;
  let q[c] = x[c] + p[floor(t / 3), c] + x[2 * t - 1, c];
  let m[c] = x[0, c];
  probe p; probe q; probe m;
  loss sum[c] q[c] * m[c];
}
"""
        model = self.load(source, 2, 11, True)
        for t_count, s_count in ((11, 4), (5, 4), (11, 1), (7, 3)):
            model.resize(2, t_count)
            model.resize_space(1, s_count)
            x = [[[100 * s + 10 * t + c for c in range(2)] for t in range(t_count)] for s in range(2)]
            z = [[7000 * (s + 1) + u for u in range(s_count)] for s in range(2)]
            model.set_input("x", [v for s in x for row in s for v in row])
            model.set_input("z", [v for s in z for v in s])
            model.forward()
            
            def at(rows, k):
                return rows[k] if 0 <= k < len(rows) else [0, 0]

            p = [[[at(x[s], 3 * u + 1)[c] + z[s][u] for c in range(2)] for u in range(s_count)] for s in range(2)]
            q = [[[x[s][t][c] + at(p[s], t // 3)[c] + at(x[s], 2 * t - 1)[c] for c in range(2)]
                  for t in range(t_count)] for s in range(2)]
            for name, want in (("p", p), ("q", q), ("m", [[s[0]] for s in x])):
                self.assertEqual(list(model.output(name)[0]), [v for s in want for row in s for v in row], name)


if __name__ == "__main__":
    harness.main(__name__)
