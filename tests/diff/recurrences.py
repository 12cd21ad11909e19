#!/usr/bin/env python3
"""Recurrences over positions: gradients at widths and lengths on both sides of where kernels change,
compiled and interpreted; the same bits for any number of threads; what is added to a text goes on
from where it stood. Needs the standard library of Python alone."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness, settings
from sampling import LOSS, Extended

SOURCE = """/// What is kept and what is taken sum to 1.
branch gated : x[d] -> y[d] {
  param G[d, d], U[d, d] ~ normal(0.3);
  let f[k] = sigmoid(sum[c] G[k, c] * x[c]);
  let u[k] = sum[c] U[k, c] * x[c];
  let y[k] = recur(f[k], (1 - f[k]) * u[k]);
}
/// A connection that remembers what it wrote at earlier positions.
connection remembers {
  state h[d];
  param a[d] = 0.5, b = 0.3;
  begin h = x;
  let m = recur(a, h);
  let r[c] = recur(sigmoid(b * h[0]), m[c] * h[c]);
  read  x[c] = h[c] + 0.1 * r[c];
  write h[c] = h[c] + y[c];
  end   x = h;
}
/// From both ends; a sum is a recurrence that keeps all.
branch both_ways : x[d] -> y[d] {
  param w[d] ~ normal(1);
  let f[c] = sigmoid(w[c] * x[c]);
  let b[c] = recur(f[c], x[c], reverse = true);
  let s[c] = recur(1, b[c]);
  let y[c] = b[c] * w[c] + 0.1 * s[c];
}
"""
MODEL = SOURCE + """model m {
  const d = 8, n = 7;
  positions t <= n;
  input x[t, d] : real;
  param W[d] ~ normal(0.3);
  let h = trunk(x) { a = remembers : gated; b = remembers : both_ways; };
  loss (sum[c] W[c] * h[c])^2;
}
"""
TEXT = SOURCE + """model m {
  const d = 40;
  positions t <= 40 causal;
  input tokens[t] : token(61);
  param E[61, d] ~ normal(0.3);
  let x = embed(tokens, E);
  let h = trunk(x) { a = residual : gated; b = residual : attention(2, causal = true); c = remembers : gated; };
""" + LOSS % {"v": 61} + "}\n"



SCANS = """branch gru(hidden) : x[d] -> y[d] {
  param W[3, hidden, d], U[3, hidden, hidden], b[3, hidden] ~ normal(0.3);
  let h[k < hidden] = 0;
  scan {
    let a[i,k] = (sum[c] W[i,k,c] * x[c]) + b[i,k];
    let u[i,k] = sum[j] U[i,k,j] * h[j];
    let r[k] = sigmoid(a[0,k] + u[0,k]), z[k] = sigmoid(a[1,k] + u[1,k]);
    let n[k] = tanh(a[2,k] + r[k] * u[2,k]);
    h[k] = (1 - z[k]) * n[k] + z[k] * h[k];
  }
  let y = h;
}
/// A matrix that is rewritten in part, and what is read from it.
branch delta(e) : x[d] -> y[d] {
  param Wq[e, d], Wk[e, d], Wv[e, d], Wo[d, e], Wb[d] ~ normal(0.3);
  let q[a] = sum[c] Wq[a,c] * x[c], v[a] = sum[c] Wv[a,c] * x[c], p[a] = sum[c] Wk[a,c] * x[c];
  let k[a] = p[a] * rsqrt(1 + sum[b] p[b]^2);
  let beta = sigmoid(sum[c] Wb[c] * x[c]);
  let S[a < e, b < e] = 0, o[a < e] = 0;
  scan {
    S[a,b] = S[a,b] + beta * (v[a] - sum[j] S[a,j] * k[j]) * k[b];
    o[a]   = sum[b] S[a,b] * q[b];
  }
  let y[c] = sum[a] Wo[c,a] * o[a];
}
/// Exponential gates and what holds them small: four states, one of which begins as is learnt.
branch slstm : x[d] -> y[d] {
  param I[d], F[d], Z[d], R[d], m0[d] ~ normal(0.3);
  let c[k < d] = 0, n[k < d] = 1, h[k < d] = 0, m = m0;
  scan {
    let i[k] = I[k] * x[k] + R[k] * h[k], f[k] = F[k] * x[k] - R[k] * h[k] + 1;
    let p[k] = max(f[k] + m[k], i[k]);
    let kept[k] = exp(f[k] + m[k] - p[k]), taken[k] = exp(i[k] - p[k]);
    c[k] = kept[k] * c[k] + taken[k] * tanh(Z[k] * x[k]);
    n[k] = kept[k] * n[k] + taken[k];
    m[k] = p[k];
    h[k] = c[k] / n[k];
  }
  let y = h;
}
/// A state that begins as nothing, a number, and a loop at each position, from behind.
branch from_behind : x[d] -> y[d] {
  param w[3, 3] ~ normal(1);
  let m[c < d] = log(0), s = 0;
  scan {
    let p[c] = max(m[c], x[c]);
    m[c] = p[c] + log(exp(m[c] - p[c]) + exp(x[c] - p[c]));
  }
  let g[i < 3] = 0.5;
  scan reverse {
    iterate 2 { g[i] = tanh((sum[j] w[i,j] * g[j]) + select(i % 2 == 1, 0.3, mean[c] x[c])); }
    s = tanh(s + g[0]);
  }
  let y[c] = s * m[c] + g[1] * x[c];
}
/// States that change places, that begin as numbers; scans in loops and functions, loops in scans.
fn mean_so_far(x, a) -> y { let y = 0; scan { y = a * y + (1 - a) * x; } }
branch around : x[d] -> y[d] {
  param v[d] ~ normal(1);
  let a[c < d] = 1, b[c < d] = 0, z = 0.5, p = 0;
  scan {
    let t = a, g[c] = mean_so_far(x[c], 0.9);
    a = b;
    b[c] = t[c] + x[c] * shift(g, 1)[c];
    for i < 2 { if i == 1 { z = 0.5 * z + 0.1 * (mean[c] x[c]) + a[0]; } }
  }
  scan { p = p + 0.1 * here; }
  let q = b;
  iterate 2 {
    let r[c < d] = 0;
    scan { r[c] = 0.5 * tanh(v[c] * r[c]) + q[c]; }
    q = r;
  }
  let y[c] = a[c] * q[c] + z + 0.01 * p + mean_so_far(x[c], 0.5);
}
/// States that no work makes: two that are one value, a number, an operand, another state.
branch copies : x[d] -> y[d] {
  param v[d], w ~ normal(1);
  let a[c < d] = 0, b[c < d] = 0, e[c < d] = 1, f[c < d] = v[c], g[c < d] = 0, h[c < d] = 0;
  let last = tanh(w);
  scan {
    h[c] = 0.5 * h[c] + a[c] * b[c] + e[c] * f[c] * g[c];
    a[c] = x[c];
    b[c] = x[c];
    e[c] = 0.25;
    f[c] = last;
    g = f;
  }
  let y[c] = h[c] + a[c] + b[c] + e[c] + g[c];
}
connection remembers {
  state h[d];
  param a[d] = 0.5;
  begin h = x;
  let m[c < d] = 0;
  scan { m[c] = tanh(a[c] * m[c] + h[c]); }
  read  x[c] = h[c] + 0.1 * m[c];
  write h[c] = h[c] + y[c];
  end   x = h;
}
"""
SCANNED = SCANS + """model m {
  const d = 8, n = 7, e = 5;
  positions t <= n;
  input x[t, d] : real;
  param W[d] ~ normal(0.3);
  let h = trunk(x) { a = remembers : gru(d); b = residual : delta(e); c = residual : slstm; e = residual : from_behind;
    f = residual : around; g = residual : copies; };
  loss (sum[c] W[c] * h[c])^2;
}
"""
IN_PARTS = SCANS + """model m {
  const d = 256, n = 3, e = 64;
  positions t <= n;
  input x[t, d] : real;
  param W[d] ~ normal(0.3);
  let h = trunk(x) { a = remembers : slstm; };
  param V[16, d] ~ normal(0.1);
  let v[i] = sum[c] V[i,c] * h[c];
  let o = delta(v, e);
  loss (mean[c] W[c] * h[c]) + mean[i] o[i]^2;
}
"""
SCANNED_TEXT = SCANS + """model m {
  const d = 40;
  positions t <= 40 causal;
  input tokens[t] : token(61);
  param E[61, d] ~ normal(0.3);
  let x = embed(tokens, E);
  let h = trunk(x) {
    a = remembers : gru(d); b = residual : attention(2, causal = true); c = residual : delta(6); e = remembers : slstm;
  };
""" + LOSS % {"v": 61} + "}\n"

SO_FAR = """fn so_far(x, combine) -> y {
  let y = x;
  for k < 30 {
    if 2 ^ k < extent(here) {
      let before = shift(y, 2 ^ k);
      y = select(here < 2 ^ k, y, combine(before, y));
    }
  }
}
fn larger(a, b) = max(a, b);
fn log_sum(a, b) = max(a, b) + log(1 + exp(-abs(a - b)));
model m {
  const d = 33, n = 13;
  positions t <= n causal;
  input x[t, d] : real;
  param w[d] ~ normal(1);
  let z[c] = w[c] * x[c];
  let m[c] = so_far(z[c], larger);
  let s = so_far(z, log_sum);
  loss sum[c] m[c] * s[c];
}
"""


class Recurrences(harness.TestCase):
    def right(self, *words):
        self.expect(harness.hcc("gradcheck", self.write("m.hc", MODEL), *words))

    def test_gradients(self):
        for k, width in enumerate((31, 32, 33, 64, 65, 257)):
            for positions in (1, 7, 37)[k % 2::2]:
                with self.subTest(width=width, positions=positions):
                    self.right(*settings(d=width, n=positions))
        self.right("-O", "0")
        self.right("--interpret")

    def test_scans(self):
        for width, positions in ((31, 7), (32, 1), (33, 3), (64, 2), (65, 1), (257, 2)):
            with self.subTest(width=width, positions=positions):
                self.expect(harness.hcc("gradcheck", self.write("m.hc", SCANNED),
                                        *settings(d=width, n=positions, e=width if width < 70 else 20)))
        for words in (("-O", "0"), ("--interpret",)):
            self.expect(harness.hcc("gradcheck", self.write("m.hc", SCANNED), *words))

    def test_scans_in_parts(self):
        """Of 256 features each 128 by themselves, of a matrix half of its rows."""
        self.expect(harness.hcc("gradcheck", self.write("m.hc", IN_PARTS)))
        self.same_bits(build(self.path("m.so"), file=self.write("m.hc", IN_PARTS)), 3, 256)

    def test_associative(self):
        """By shifts that double: at every number of positions on both sides of a power of two."""
        for positions in (1, 2, 3, 8, 13):
            with self.subTest(positions=positions):
                self.expect(harness.hcc("gradcheck", self.write("m.hc", SO_FAR), *settings(n=positions)))

    def test_bits(self):
        for text in (MODEL, SCANNED):
            with self.subTest(text=text[:12]):
                self.same_bits(build(self.path(f"{len(text)}.so"), file=self.write("m.hc", text), d=257, n=37))

    def same_bits(self, path, positions=37, width=257):
        found = []
        for threads in (1, 2, 3):
            with Model(path, samples=3, threads=threads) as model:
                model.init(3)
                model.set_input("x", [7 * k % 101 / 101 for k in range(3 * positions * width)])
                loss = model.forward()
                model.backward()
                found.append((loss, [bytes(p.gradient) for p in model.parameters.values()]))
        self.assertTrue(found[0] == found[1] == found[2], "threads change bits")

    def test_added_positions(self):
        """What is remembered of a text is there when it goes on, also from an earlier position."""
        parts = [(0, 5), (5, 1), (6, 1), (7, 25), (32, 1), (20, 2), (22, 18)]
        for text in (TEXT, SCANNED_TEXT):
            with self.subTest(text=text[:12]):
                self.same_when_added(parts, build(self.path(f"{len(text)}.so"), file=self.write("text.hc", text), f64=True))

    def same_when_added(self, parts, path):
        with Extended(path, threads=2) as model:
            self.assertIsNone(model.c_extend_refused(model.context))
            whole = model.whole({first + count - 1 for first, count in parts})
            for first, count in parts:
                for a, b in zip(model.extend(first, count), whole[first + count - 1], strict=True):
                    self.assertAlmostEqual(a, b, delta=1e-11 * max(1, abs(b)))

    def test_backwards_sees_what_is_to_come(self):
        path = build(self.path("text.so"), file=self.write(
            "text.hc", TEXT.replace(" causal;", ";").replace(": gated; }", ": both_ways; }")))
        with Extended(path) as model:
            self.assertIn(b"from the last one", model.c_extend_refused(model.context))


if __name__ == "__main__":
    harness.main(__name__)
