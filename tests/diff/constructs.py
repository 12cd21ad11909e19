#!/usr/bin/env python3
"""Constructs of the language one by one: finite differences in f64, compiled at O0 and O3 and by the
interpreter (which fuses nothing), losses that agree, and the same bits on any number of threads.

Widths lie on both sides of where vectors, kernels and plan change their mind.
"""

import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

WIDTHS = (31, 32, 33, 64, 65, 257)
SOURCE = """{head}
branch b : x[d] -> y[d] {{
  {body}
}}
model m {{
  const d = 8;
  positions t <= 5;
  input u[t, d] : real;
  target v[t, d] : real;
  let h = trunk(u) {{ a = residual : b; b = residual : b; }};
  loss mse(h, v);
}}
"""
HALF = "const e = floor(d / 2); "
BODIES = {
    "list": "param p[d], q[d] ~ normal(0.5); let n[c] = p[c] * x[c]; let a = mean[c] n[c], b = q[0] * x[1]; "
            "let R = [[a, -b], [b, a]]; let w[i] = sum[j] R[i, j] * [n[2], q[j + 3]][0] + R[1, i]; "
            "let S = [n, x, 0]; let z[c] = [q[c], S[1, c] * a][1] + S[0, c] * S[2, c]; "
            "let y[c] = z[c] * q[c] + w[0] * n[c] + [w[1], a, b][c % 3];",
    "list of numbers": "param p[3, 2] = [[1, 0.5], [-1, 2], [0, 1]], q[d] ~ normal(0.5); let T = [2, 0, 1]; "
                       "let w[i, k] = p[T[i], k] + T[i] * [[1, 2], [3, 4], [5, 6]][i, k]; "
                       "let y[c] = q[c] * x[c] * w[c % 3, c % 2] + q[[1, 0, 1][c % 3]];",
    "concat": HALF + "param A[e, e], B[d - e, d - e] ~ normal(0.3); let l = x[0 .. e], r = x[e ..]; "
              "let p[i] = sum[j] A[i, j] * l[j]; let q[i] = tanh(sum[j] B[i, j] * r[j]); "
              "let z = concat(p, q, x); let y[c] = z[.. d][c] * z[d ..][c] + concat(l, r)[c];",
    "concat of rows": HALF + "param A[2, e], B[2, d - e] ~ normal(0.3); "
                      "let z[i, c] = concat(A[i], B[1 - i])[c] * concat(x[e ..], x[.. e])[c]; "
                      "let W = concat(A, [x[1 .. e + 1]]); "
                      "let y[c] = z[0, c] * x[c] + z[1, c] + sum[k] W[2, k] * W[0, k];",
    "slices": HALF + "param W[d, 3] ~ normal(0.3); let s = W[1 .. d, .. 2], m = x[2 .. d - 1]; "
              "let k[i] = sum[a] s[i, a]^2; let g = mean[i] m[i]; "
              "let y[c < d] = k[max(c - 1, 0)] * x[c] + g * W[c, 1 ..][1] + W[.., 2][c];",
    "clamped": "param w[d] ~ normal(1); let z[c] = tanh(w[c] * x[c]); "
               "let y[c < d] = z[clamp(c - 3, 0, d - 9)] + w[c] * z[max(c - 1, 0)] + z[min(c + 5, d - 1)];",
    "repeated": "param w[d] ~ normal(1); let z[c] = tanh(w[c] * x[c]); let y[c < d] = z[floor(c / 8)] + "
                "w[c] * z[floor((c + 3) / 5)] * z[floor(c / 2)] + z[0 * c + 7];",
    "repeated behind a part": "param w[d] ~ normal(1); let z[c] = tanh(w[c] * x[c]); "
                              "let y[c < d] = z[floor((c + 1) / 7)] + w[c] * z[d - 1 - floor((c + 3) / 4)] * "
                              "z[floor((c + 5) / 6) % 4] + z[min(floor((c + 2) / 3), 5)] * z[floor((c + 7) / 8)];",
    "without order": "param w[d], W[2, d, 3] ~ normal(1); let z[c] = tanh(w[c] * x[c]); "
                     "let p[c < d] = z[floor(3 * c / 2) % d] + w[(c * c) % d], q[a < 2, c < d, b < 3] = "
                     "tanh(W[a, (c * c + a) % d, b] * z[c]); let y[c] = p[c] * sum[a, b] q[a, (3 * c * c + 1) % d, b];",
    "in turns": "param w[d] ~ normal(1); let z[c] = tanh(w[c] * x[c]); let y[c < d] = z[floor(3 * c / 8)] + "
                "w[c] * z[floor((2 * c + 3) / 5)] * z[floor((5 * c + 1) / 7)] + z[d - 1 - floor(2 * c / 3)];",
    "turns of rows": "param W[d, 3] ~ normal(1); let z[c, a] = tanh(W[c, a] * x[c]); "
                     "let p[c < d, a < 3] = z[floor((3 * c + 2) / 4), a], q[a, c < 2 * d - 1] = z[floor((c + 1) / 2), a] * "
                     "z[floor(c / 3), a]; let y[c] = sum[a] p[c, a] * q[a, c + floor(d / 3)];",
    "repeated rows": "param W[d, 6] ~ normal(1); let z[c, a] = tanh(W[c, a] * x[c]); "
                     "let p[c < d, a < 6] = z[floor(c / 4), min(a, 3)]; let q[c < d, a] = p[max(c - 4, 2), a]; "
                     "let y[c] = sum[a] p[c, a] * q[c, a] * W[c, a];",
    "draws": "param w[d] ~ normal(1); let keep = select(random(each = sample) < 0.5, 0, 1); "
             "let m[c < d] = select(random(each = step) < 0.3, 0, 2); let n = random(x, each = sample); "
             "let y[c] = w[c] * x[c] * (keep + m[c] * n[c]) + w[0] * random(each = step) * x[c];",
    "thin": "param A[6, d], B[d, 6], V[d, 5], U[5, d] ~ normal(0.3); let v[r] = sum[c] A[r, c] * x[c]; "
            "let w[r] = sum[c] V[c, r] * tanh(x[c]); "
            "let y[c] = x[c] * sum[r] B[c, r] * tanh(v[r]) + sum[r] U[r, c] * w[r];",
    "thin rows": "param A[d, 2, 3], B[2, d, 3], S[3, d] ~ normal(0.3); let m[a, c] = S[a, c] * x[c]; "
                 "let v[i, r] = sum[c, a] A[c, i, r] * m[a, c]; "
                 "let y[c] = sum[i, r] B[i, c, r] * tanh(v[i, r]) + sum[a] m[a, c]^2;",
    "rank 31": "param A[d, 31], B[d, 31] ~ normal(0.2); let v[r] = tanh(sum[c] A[c, r] * x[c]); "
               "let y[c] = sum[r] B[c, r] * v[r];",
    "rank 32": "param A[d, 32], B[d, 32] ~ normal(0.2); let v[r] = tanh(sum[c] A[c, r] * x[c]); "
               "let y[c] = sum[r] B[c, r] * v[r];",
    "steps": "param w[d], v[d] ~ normal(1); let warm = min(step / steps, 1); "
             "let y[c] = warm * w[c] * x[c] + (1 - warm) * tanh(v[c] * x[c]) * select(step < 10, 0, 1);",
}

NETWORK = """{head}
model m {{
  const d = 8;
  positions t <= 5 causal;
  input u[t, d] : real;
  input s[3]    : real;
  target v[t, d] : real;
  let h = trunk(u) {{ {sites} }};
  loss mse(h, v);
}}
"""
NETWORKS = {  # definitions, and the sites of a trunk
    "products of a sample's beside what is a position's": ("""
branch film : x[d], s[3] -> y[d] {
  param W[d, 3], V[3, d] ~ normal(0.5);
  let y[c] = (sum[i] W[c,i] * tanh(s[i])) + x[c] + (sum[i] V[i,c] * s[i]);
}
""", "a = residual : film(s = s);"),
    "takes and gives": ("""
/// Keys and values of the first attention serve all, a gate goes with what gives one.
connection sharing {
  state h[d], K[held, d], V[held, d];
  param a = 0.5;
  begin h = x, K[0,c] = x[c], V[0,c] = 0;
  const gated = gives(gate), later = takes(keys) && takes(values) && held > 1;
  if later { read x = rmsnorm(h), keys = K[1], values = V[1]; } else { read x = rmsnorm(h); }
  let r = select(gated, 1, a);
  if gated { let g = gate; } else { let g = 0.25; }
  write h[c] = h[c] + r * g * y[c];
  if gives(keys) && gives(values) && held == 1 { append K = keys; append V = values; }
  end x = h;
}
branch makes : x[d] -> y[d], keys[d], values[d] {
  param k[d], v[d], W[d, d] ~ normal(0.3);
  let keys[c] = k[c] * x[c], values[c] = v[c] * x[d - 1 - c];
  let q = [x], o = attend(q, [keys], [values], causal = true);
  let y[c] = sum[j] W[c,j] * o[0, j];
}
branch uses : q[d], keys[d] = q, values[d] = keys -> y[d] {
  let z = [q], o = attend(z, [keys], [values], causal = true), y = o[0];
}
branch gated : x[d] -> y[d], gate {
  param W[d, d], w[d] ~ normal(0.3);
  let y[c] = tanh(sum[j] W[c,j] * x[j]), gate = sigmoid(sum[c] w[c] * x[c]);
}""", "z = sharing : uses; a = sharing : makes; b = sharing : gated; c = sharing : uses; "
      "e = sharing : makes; f = sharing : uses & uses; g = sharing : uses & gated;"),
    "numbers for tensors": ("""
connection told(size = 1, norm = rmsnorm) : z[e] = 0, w[d] = 1 / size {
  state h[d];
  begin h = x;
  if known(z) {
    let u = h;
  } else {
    param P[d, e] ~ normal(0.3);
    let u[c] = h[c] + sum[a] P[c,a] * z[a];
  }
  read x = norm(u);
  write h[c] = h[c] + w[c] * y[c] + 0.1 * extent(z);
  end x = norm(h);
}
module mixed : x[d], weights[d] = 0.5, M[2, d] = 2 -> y[d] { let y[c] = weights[c] * x[c] * M[1,c]; }
fn scaled(x[n], by[n] = 3) -> y[n] { let y[c] = by[c] * x[c]; }
branch several : q[d], k[e] = 0.25, v[e] = k -> y[d] {
  param W[d, e], g[d] ~ normal(0.3);
  let a = sum[c] g[c] * mixed(q)[c], b = mixed(q, weights = g);
  let y[c] = tanh(a * b[c] + (sum[i] W[c,i] * (k[i] + v[i])) + scaled(q)[c] * scaled(q, g)[c]);
}""", "a = told : several; b = told(s) : several(v = s); c = told(s, u, size = 2) : several(k = u); e = told : several(v = u);"),
    "shared by groups": ("""
connection paired(norm = rmsnorm) {
  state h[d];
  param g[d], c[d] = 1 / (1 + site) shared(floor(block / 2));
  param a = 0.5 shared;
  begin h = x, branch = (4 * sites) ^ -0.25;
  let u[i] = g[i] * h[i];
  read x = norm(u);
  write h[i] = h[i] + a * c[i] * y[i];
  end x = norm(h);
}
branch low(rank = 3) : x[d] -> y[d] {
  buffer seen[d] = 0 shared(block % 2);
  param A[rank, d] ~ normal(0.3) shared(block % 2);
  param B[d, rank] ~ normal(0.3) shared(floor(block / 2));
  let z[k] = tanh(sum[c] A[k,c] * x[c]);
  let y[c] = (sum[k] B[c,k] * z[k]) + seen[c];
  if block < 2 { update seen[c] = x[c]; }
}""", "repeat 4 { a = paired : low; }"),
}
GROUPED = ("trunk.low.0.A", "trunk.low.0.B", "trunk.low.0.seen", "trunk.low.1.A", "trunk.low.1.B", "trunk.low.1.seen",
           "trunk.paired.0.c", "trunk.paired.0.g", "trunk.paired.1.c", "trunk.paired.1.g", "trunk.paired.a")


class Constructs(harness.TestCase):
    def losses(self, path, width):
        """By each way to compute it, where derivatives agree with differences."""
        for how in ([], ["-O0"], ["--interpret"]):
            result = harness.hcc("gradcheck", path, "--set", f"d={width}", "--json", *how)
            self.assertEqual(result.code, 0, repr(result)[-2000:])
            yield json.loads(result.out)["loss"]

    def right(self, source, widths=WIDTHS):
        path = self.write("m.hc", source)
        for width in widths:
            with self.subTest(width=width):
                first, *others = self.losses(path, width)
                for loss in others:
                    self.assertAlmostEqual(loss, first, delta=1e-11 * abs(first))

    def same_on_threads(self, source, width=65, samples=3, positions=5):
        library = build(self.path(f"m{len(os.listdir(self.folder))}.so"), file=self.write("m.hc", source), d=width)
        known = None
        for threads in (1, 2, 3):
            with Model(library, samples, positions, threads) as model:
                draw = random.Random(5)
                model.init(3)
                for name in ("u", "v"):
                    model.set_input(name, [draw.gauss(0, 1) for _ in range(samples * positions * width)])
                if "input s" in source:
                    model.set_input("s", [draw.gauss(0, 1) for _ in range(samples * 3)])
                model.forward_backward()
                found = [model.loss()] + [list(p.gradient) for p in model.parameters.values()]
            known = known or found
            self.assertEqual(known, found)

    def test_bodies(self):
        for name, body in BODIES.items():
            with self.subTest(name):
                source = SOURCE.format(head="", body=body)
                everyday = (33, 257) if name == "without order" else (33,)  # from 129 on from memory
                self.right(source, WIDTHS if harness.EVERYTHING else everyday)
                self.same_on_threads(source)

    def test_networks(self):
        for name, (head, sites) in NETWORKS.items():
            with self.subTest(name):
                source = NETWORK.format(head=head, sites=sites)
                self.right(source, WIDTHS if harness.EVERYTHING else (33,))
                self.same_on_threads(source)

    def test_names_of_groups(self):
        """Sites with one number have one parameter, named by it; it begins as at the first of them."""
        head, sites = NETWORKS["shared by groups"]
        with Model(build(self.path("m.so"), file=self.write("m.hc", NETWORK.format(head=head, sites=sites)))) as model:
            model.init(1)
            self.assertEqual(sorted(p["name"] for p in model.manifest["params"]), list(GROUPED))
            for group, site in ((0, 0), (1, 2)):
                self.assertAlmostEqual(model.parameters[f"trunk.paired.{group}.g"].data[0], 1 / (1 + site))


if __name__ == "__main__":
    harness.main(__name__)
