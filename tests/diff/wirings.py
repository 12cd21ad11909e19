#!/usr/bin/env python3
"""Connections of the library as their equations have them, in PyTorch and f64: two sites around small
branches, the result and every gradient, at random parameters. And what some of them are equal to.

Without PyTorch (here, or in $HCC_TORCH_PYTHON) the comparison is skipped; equalities need none.
"""

import json
import os
import random
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")

if not MISSING:
    import numpy as np
    import torch

    torch.set_num_threads(1)

POSITIONS, SITES = 5, 2
SOURCE = """
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
model one {
  const d = 6;
  positions t <= %(positions)d;
  param X[%(positions)d, d], G[%(positions)d, d] ~ normal(1);
  let x = embed(t, X), g = embed(t, G);
  let h = trunk(x) { s0 = %(word)s : bend; s1 = %(word)s : bend; };
  probe h;
  loss sum[c] g[c] * h[c];
}
"""


def rms(x):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)


def unit(x):
    return x * torch.rsqrt((x * x).sum(-1, keepdim=True) + 1e-12)


def layer(x):
    z = x - x.mean(-1, keepdim=True)
    return z * torch.rsqrt((z * z).mean(-1, keepdim=True) + 1e-5)


class Twin:
    """`p(site, name)`: a parameter of a site's connection; `f(site, x)`: its branch."""

    def __init__(self, leaves):
        self.leaves = leaves

    def p(self, site, name):
        return self.leaves[f"trunk.s{site}.hc.{name}"]

    def f(self, site, x):
        return torch.tanh(x @ self.leaves[f"trunk.s{site}.W"].T)

    def affine(self, site, name, x):
        return rms(x) * self.p(site, name + ".gain")

    def affine_layer(self, site, name, x):
        return layer(x) * self.p(site, name + ".gain") + self.p(site, name + ".bias")

    # --- one stream ------------------------------------------------------------------------------

    def rezero(self, h):
        for s in range(SITES):
            h = h + self.p(s, "a") * self.f(s, h)
        return h

    def layer_scale(self, h):
        for s in range(SITES):
            h = h + self.p(s, "l") * self.f(s, rms(h))
        return rms(h)

    def deep_norm(self, h):
        for s in range(SITES):
            h = self.affine_layer(s, "norm", SITES ** 0.25 * h + self.f(s, h))
        return h

    def peri_ln(self, h):
        for s in range(SITES):
            h = h + self.affine(s, "after", self.f(s, self.affine(s, "before", h)))
        return self.affine(SITES - 1, "end", h)

    def layer_norm_scaling(self, h):
        for s in range(SITES):
            h = h + self.f(s, rms(h) / (s // 2 + 1) ** 0.5)
        return rms(h)

    def resi_dual(self, x):
        P = Q = x
        for s in range(SITES):
            y = self.f(s, P)
            P, Q = self.affine_layer(s, "norm", P + y), Q + y
        return P + self.affine_layer(SITES - 1, "end.norm", Q)

    def highway(self, h):
        for s in range(SITES):
            T = torch.sigmoid(h @ self.p(s, "W").T + self.p(s, "b"))
            h = (1 - T) * h + T * self.f(s, h)
        return h

    def x0_skip(self, x):
        h = x
        for s in range(SITES):
            if s % 2 == 0:
                h = self.p(s, "l1") * h + self.p(s, "l2") * x
            h = h + self.f(s, rms(h))
        return rms(h)

    def siamese_norm(self, x):
        P = Q = x
        for s in range(SITES):
            y = self.f(s, rms(P + self.affine(s, "before", Q)))
            P, Q = self.affine(s, "after", P + y / (s + 1) ** 0.5), Q + y
        return P + self.affine(SITES - 1, "end.ln", Q)

    def ngpt(self, x):
        h, d = unit(x), x.shape[-1]
        for s in range(SITES):
            h = unit(h + self.p(s, "a") * d ** 0.5 * 0.05 * (unit(self.f(s, h)) - h))
        return h

    # --- streams: H [positions, n, d] ---------------------------------------------------------------

    def multi_gate(self, x):
        H, d = x[:, None].repeat(1, 4, 1), x.shape[-1]
        for s in range(SITES):
            a = torch.softmax(rms(H) @ self.p(s, "w") / d ** 0.5, -1)
            g = torch.sigmoid(rms(H) @ self.p(s, "v") / d ** 0.5 + self.p(s, "b"))[..., None]
            y = self.f(s, rms((a[..., None] * H).sum(1)))
            H = (1 - g) * H + g * y[:, None]
        return rms(H.mean(1))

    def gated_streams(self, x):
        H = x[:, None].repeat(1, 4, 1)

        def read(s, name):
            N = rms(H) * (1 + self.p(s, name + ".w"))
            v = torch.nn.functional.silu(torch.einsum("kic,tic->tk", self.p(s, name + ".Wd"), N) / 4)
            G = torch.sigmoid(torch.einsum("ick,tk->tic", self.p(s, name + ".Wu"), v))
            return (G * N).mean(1)

        for s in range(SITES):
            y = self.f(s, read(s, "gate"))
            H = H + 2 * torch.sigmoid(torch.einsum("kic,tic->tk", self.p(s, "Ww"), rms(H)) / 4)[..., None] * y[:, None]
        return read(SITES - 1, "last")

    def mapped(self, x, mix, eps=0.0, end=lambda H: H.sum(1)):
        """What reads, mixes and writes by maps of z = ... H / rms(H)."""
        H = x[:, None].repeat(1, 4, 1)
        for s in range(SITES):
            z = H * torch.rsqrt((H * H).mean((-1, -2), keepdim=True) + 1e-6)

            def made(scale, weight, bias):
                return self.p(s, scale) * torch.einsum("...ic,tic->t...", self.p(s, weight), z) + self.p(s, bias)

            pre = torch.sigmoid(made("ap", "P", "bp")) + eps
            post = 2 * torch.sigmoid(made("aq", "Q", "bq"))
            M = mix(made("ar", "R", "br"))
            y = self.f(s, rms((pre[..., None] * H).sum(1)))
            H = torch.einsum("tkj,tjc->tkc", M, H) + post[..., None] * y[:, None]
        return rms(end(H))

    def oshc(self, x):
        return self.mapped(x, lambda L: torch.softmax(L, -1))

    def oshc_columns(self, x):
        return self.mapped(x, lambda L: torch.softmax(L, -2))

    def cmhc(self, x):
        def mix(L):
            c = torch.softmax(L, -1)  # mixing = 2 / sites = 1 here
            return torch.stack([torch.stack([c[:, (j - k) % 4] for j in range(4)], -1) for k in range(4)], -2)
        return self.mapped(x, mix, end=lambda H: H.mean(1))

    def ohc(self, x):
        def mix(g):
            (a, b, c, d), (e, f, u, h) = (unit(v).unbind(-1) for v in
                                          (g + torch.tensor([1.0, 0, 0, 0], dtype=g.dtype)).unbind(1))
            L = [[a, -b, -c, -d], [b, a, -d, c], [c, d, a, -b], [d, -c, b, a]]
            R = [[e, -f, -u, -h], [f, e, h, -u], [u, -h, e, f], [h, u, -f, e]]
            L, R = (torch.stack([torch.stack(row, -1) for row in m], -2) for m in (L, R))
            return L @ R
        return self.mapped(x, mix, eps=1e-6)


VALUES = """
model one {
  const d = 8;
  positions t <= %(positions)d;
  param X[%(positions)d, d], G[%(positions)d, d] ~ normal(1);
  let x = embed(t, X), g = embed(t, G);
  let h = trunk(x) {
    repeat 3 { a = %(word)s : attention_values(HEADS); b = %(word)s : mlp(5); }
  };
  probe h;
  loss sum[c] g[c] * h[c];
}
"""


def resformer(leaves, heads, kv, options):
    h, first = leaves["X"], None
    T, e = len(h), h.shape[1] // heads
    past = torch.tril(torch.ones(T, T, dtype=torch.bool))
    for block in range(3):
        p = lambda name: leaves[f"trunk.{block}.{name}"]
        x = rms(h)
        q, k, v = (torch.einsum("hac,tc->hta", p("a.W" + name), x) for name in "qkv")
        if first is not None:
            own, share = (0, 1) if "learned" in options else (p("a.hc.l1"), p("a.hc.l2"))
            v = own * v + share * first
        first = v if first is None else first
        k, v = (z.repeat_interleave(heads // kv, 0) for z in (k, v))
        scores = (torch.einsum("hta,hsa->hts", q, k) / e ** 0.5).masked_fill(~past, -torch.inf)
        h = h + torch.einsum("cha,hta->tc", p("a.Wo"), torch.softmax(scores, -1) @ v)
        h = h + torch.nn.functional.gelu(rms(h) @ p("b.W1").T) @ p("b.W2").T
    return rms(h)


CASES = {name: name for name in (
    "rezero", "layer_scale", "deep_norm", "peri_ln", "layer_norm_scaling", "resi_dual", "highway", "x0_skip",
    "siamese_norm", "ngpt", "multi_gate", "gated_streams", "oshc", "ohc", "cmhc")}
CASES["oshc_columns"] = "oshc(columns = true)"


class Case(harness.TestCase):
    def model(self, word, scatter=0.4, source=SOURCE):
        name = f"m{len(os.listdir(self.folder))}"
        file = self.write(f"{name}.hc", source % {"word": word, "positions": POSITIONS})
        how = [] if harness.EVERYTHING else ["-O0"]
        model = Model(build(self.path(f"{name}.so"), *how, file=file, f64=True), samples=1, positions=POSITIONS)
        self.addCleanup(model.close)
        model.init(3)
        for name, p in model.parameters.items():
            draw = random.Random(name)
            p.data[:] = [x + draw.gauss(0, scatter) for x in p.data]
        return model


@harness.unittest.skipIf(MISSING, MISSING)
class Equations(Case):
    def test_results_and_gradients(self):
        for twin in harness.share(list(CASES), 6):
            word = CASES[twin]
            with self.subTest(word):
                self.agree(self.model(word), lambda leaves, twin=twin: getattr(Twin(leaves), twin)(leaves["X"]))

    def agree(self, model, result):
        model.forward_backward()
        leaves = {name: torch.tensor(np.array(p.data).reshape(p.dims), requires_grad=True)
                  for name, p in model.parameters.items()}
        h = result(leaves)
        found = np.array(model.output("h")[0]).reshape(h.shape)
        self.assertLess(np.abs(found - h.detach().numpy()).max(), 1e-12 * np.abs(found).max())
        ((h * leaves["G"]).sum() / POSITIONS).backward()
        size = max(float(p.grad.norm()) for p in leaves.values() if p.grad is not None)
        for name, leaf in leaves.items():
            wanted = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
            gap = np.abs(np.array(model.parameters[name].gradient).reshape(wanted.shape) - wanted).max()
            self.assertLess(gap, 1e-11 * size, name)

    def test_values(self):
        """ResFormer, also where two heads share their values and where the first one's are all there is."""
        for heads, kv, options in ((2, 2, ""), (4, 2, ", kv_heads = 2"),
                                   (2, 2, ", own = 0, first = 1, learned = false")):
            word = f"resformer(heads = {heads}{options})"
            with self.subTest(word):
                source = VALUES.replace("HEADS", f"{heads}, kv_heads = {kv}")
                self.agree(self.model(word, source=source), lambda leaves: resformer(leaves, heads, kv, options))


class Equalities(Case):
    """Section by section: the same results where parameters of one are made those of the other."""

    def result(self, word, change=None, source=SOURCE):
        model = self.model(word, scatter=0, source=source)
        for name in ("X", "G"):
            draw = random.Random(name)
            model.parameters[name].data[:] = [draw.gauss(0, 1) for _ in model.parameters[name].data]
        for name, p in model.parameters.items():
            if change and ".hc." in name:
                p.data[:] = change(name.split(".hc.")[1], list(p.data))
        model.forward()
        return model.output("h")[0]

    def same(self, first, second, delta=1e-13):
        for a, b in zip(self.result(*first), self.result(*second)):
            self.assertAlmostEqual(a, b, delta=delta)

    def test_one_stream(self):
        for word in ("rezero(norm = rmsnorm, begins = 1)", "layer_scale(begins = 1)", "x0_skip",
                     "layer_norm_scaling(layer = 1)"):
            with self.subTest(word):
                self.same((word,), ("residual",))
        self.same(("deep_norm(norm = rmsnorm, alpha = 1, begins = 1)",), ("postnorm",))
        self.same(("rezero",), ("highway", lambda name, data: [-1e9] * len(data) if name == "b" else data))

    def test_values(self):
        """With the first values at nothing, and around branches without values, it is the residual."""
        for branch in ("attention(HEADS)", "attention_values(HEADS)"):
            source = VALUES.replace("attention_values(HEADS)", branch).replace("HEADS", "2")
            self.same(("resformer(own = 1, first = 0)", None, source), ("residual", None, source))
        self.assertNotEqual(*(self.result(f"resformer(own = 1, first = {k})", None, source) for k in (0, 1)))

    def test_streams(self):
        """At first, but for what makes one of the streams and for maps' dependence on them."""
        still = lambda name, data: [0.0] * len(data) if name in "PQR" else data
        self.same(("ohc", still), ("ihc(reduce = sum_streams)", still), 1e-11)
        one = lambda name, data: {"bp": [2.0, -1.0], "bq": [0.3, -0.2], "br": [0.7, -0.4]}.get(name, [0.0] * len(data))
        self.same(("cmhc(n = 2, mixing = 1, reduce = sum_streams)", one), ("mhc_lite(n = 2)", one))
        self.same(("mhc(map = sinkhorn_transposed)",), ("mhc(map = sinkhorn_log)",), 1e-11)

    def test_maps(self):
        """A rotation keeps lengths; means of sources are means; turns are doubly stochastic."""
        for word, test in (("ohc", self.orthogonal), ("oshc", self.means), ("cmhc", self.doubly)):
            model = self.model(word)
            model.forward()
            values, dims = model.output("trunk.s1.hc.M")
            for k in range(0, len(values), 16):
                test([values[k + 4 * r: k + 4 * r + 4] for r in range(4)])

    def orthogonal(self, M):
        for a in range(4):
            for b in range(4):
                self.assertAlmostEqual(sum(M[k][a] * M[k][b] for k in range(4)), float(a == b), delta=1e-11)

    def means(self, M):
        for row in M:
            self.assertAlmostEqual(sum(row), 1, delta=1e-13)
            self.assertTrue(all(x >= 0 for x in row))

    def doubly(self, M):
        self.means(M)
        self.means([list(column) for column in zip(*M)])


BEGINS = """
connection small(by, start = 0.5) {
  state h[d];
  param P[d] ~ normal(0.3);
  let map = linear;
  if start == 0 { begin h = x; } else { begin h = x, branch = by * start; }
  read x = rmsnorm(h);
  let z[c] = P[c] * map(h, d)[c];
  write h[c] = h[c] + y[c] + z[c];
  end x = rmsnorm(h);
}
/// Four runs of one branch, in a loop, and one outside of it.
connection turning(by) {
  state h[d];
  begin h = x;
  begin branch = by;
  let z = h;
  iterate 4 { z[c] = h[c] + 0.5 * branch(z)[c]; }
  let u = branch(z);
  write h[c] = z[c] + u[c];
  end x = h;
}
/// What its result is made of: W, of one gate V; of numbers T that it only looks up; not U, by which it chooses.
branch mixed : x[d] -> y[d], gate {
  param W[d, d] ~ normal(0.1), V[d] ~ uniform(0.1, 0.5), U[d] ~ normal(0.1), g[d] = 1, T[d, d] ~ normal(2, 1);
  buffer s[d] ~ normal(1);
  let k = argmax[c] U[c] * x[c];
  let y[c] = g[c] * s[c] * (sum[j] W[c,j] * x[j]) + T[k, c];
  let gate = sigmoid(sum[c] V[c] * x[c]);
  update s[c] = s[c];
}
branch map : x[d] -> y[d] { param W[d, d], b[d] ~ normal(0.1) shared; let y[c] = (sum[j] W[c,j] * x[j]) + b[c]; }
model m {
  const d = 6, heads = 2, by = 1;
  positions t <= 5;
  param X[5, d] ~ normal(1);
  let x = embed(t, X);
  const wide = mlp(5);
  let tied = wide;
  let h = trunk(x) {
    a = small(by) : attention(heads, qk = rmsnorm_affine) & mlp(8);
    b = small(by) : tied;
    c = turning(0.5 * by) : map;
    e = turning(0.25 * by) : map;
    f = small(by) : mixed;
    g = small(by) : attention_values(heads);
    i = small(by, start = 0) : linear(d);
    j = small(2 * by) : tied;
  };
  loss sum[c] h[c]^2;
}
"""
SCALED = {  # by which each begins where `by` is 1: of what connections share or own, the others as they say
    "a.attention.Wv": 0.5, "a.attention.Wo": 0.5, "a.mlp.W1": 0.5, "a.mlp.W2": 0.5, "tied.W1": 0.5, "tied.W2": 0.5,
    "trunk.map.W": 0.5, "trunk.map.b": 0.5, "f.W": 0.5, "f.V": 0.5, "f.T": 0.5, "g.Wv": 0.5, "g.Wo": 0.5}


def tensors(path):
    """Name: its numbers, of a safetensors file in single precision."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: list(struct.unpack(f"<{(t['data_offsets'][1] - t['data_offsets'][0]) // 4}f",
                                     data[slice(*t["data_offsets"])])) for name, t in header.items()}


class Begins(harness.TestCase):
    def values(self, by):
        path = build(self.path(f"m{by}.so"), "-O0", file=self.write("m.hc", BEGINS), f64=True, by=by)
        with Model(path, 1, 5) as model:
            model.init(7)
            return {name: list(p.data) for name, p in model.parameters.items()}

    def test_drawn_parameters_of_results(self):
        """Beside the same with nothing said, a power of two times as large: exactly."""
        source = self.values("2")  # as they say
        found, ratios = self.values("1"), {}
        for name, values in source.items():
            ratio = {b / a for a, b in zip(values, found[name]) if a}
            self.assertLessEqual(len(ratio), 1, name)
            ratios[name.removeprefix("trunk.") if not name.startswith("trunk.map") else name] = ratio.pop() if ratio else 1
        self.assertEqual({name for name, ratio in ratios.items() if ratio != 1}, set(SCALED), ratios)
        self.assertEqual({ratio for name, ratio in ratios.items() if ratio != 1}, {0.5})

    def test_checkpoints_begin_alike(self):
        """What training begins with is what C begins with: deep_norm's, a fraction of postnorm's."""
        example = os.path.join(harness.ROOT, "examples", "shakespeare.hc")
        sizes = {"d": 16, "heads": 2, "blocks": 2, "context": 8}
        text = self.write("text.txt", "to be or not to be, that is the question\n" * 20)
        known = {}
        for kind, wiring in (("deep", "deep_norm"), ("post", "postnorm(norm = layernorm_affine)")):
            sets = [word for key, value in {**sizes, "wiring": wiring, "train.lr": 0, "train.steps": 1, "train.seed": 5}.items()
                    for word in ("--set", f"{key}={value}")]
            run = self.path(kind)
            self.expect(harness.hcc("train", example, "--data", text, "--out", run, *sets))
            trained = tensors(os.path.join(run, "ckpt", "final.safetensors"))
            with Model(build(self.path(kind + ".so"), "-O0", wiring=wiring, **sizes)) as model:
                model.init(5)
                for name, p in model.parameters.items():
                    self.assertEqual(trained[name], list(p.data), name)
            known[kind] = trained
        for name, values in known["post"].items():
            scaled = name.split(".")[-1] in ("Wv", "Wo", "W1", "W2")
            for a, b in zip(known["deep"][name], values):
                self.assertAlmostEqual(a, b * (16 ** -0.25 if scaled else 1), delta=1e-7 * abs(b))


MAPS = {  # functions of logits [4, 4], destination by source
    "sinkhorn": "sinkhorn(L, 20)", "v4": "sinkhorn_v4(L, 20)", "transposed": "sinkhorn_transposed(L, 20)",
    "log": "sinkhorn_log(L, 20)"}
FAR = """
model far {
  input up[4, 4] : real;
  param L[4, 4] = 0;
  let M = %s;
  probe M;
  loss sum[k, j] up[k,j] * M[k,j];
}
"""
LOGITS = ("below", lambda k, j: -88.0 * (k == 2)), ("above", lambda k, j: 88.0 * (k == 1)), \
    ("apart", lambda k, j: 88.0 * (k == j) - 44), ("a source", lambda k, j: -88.0 * (j == 3) + k)


class Far(harness.TestCase):
    def test_maps(self):
        """A destination (or source) 88 below the others: f32 is finite where f64 is, and means the same."""
        for name, call in MAPS.items():
            models = [Model(build(self.path(f"{name}{f64}.so"), file=self.write("far.hc", FAR % call), f64=f64), 1)
                      for f64 in (False, True)]
            for what, logits in LOGITS:
                with self.subTest(name, logits=what):
                    found = []
                    for model in models:
                        model.init(1)
                        model.parameters["L"].data[:] = [logits(k, j) for k in range(4) for j in range(4)]
                        model.set_input("up", [float((5 * k) % 7 - 3) for k in range(16)])
                        model.forward_backward()
                        found.append(model.output("M")[0] + list(model.parameters["L"].gradient))
                    for a, b in zip(*found):
                        self.assertTrue(b != b or abs(a - b) <= 1e-4, (a, b))
            for model in models:
                model.close()


SPHERE = """
model sphere {
  const d = 8, heads = 2, blocks = 1;
  positions t <= 4;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) {
    attn = ngpt : attention(heads, sphere = true, qk = unit_scaled);
    mlp  = ngpt : mlp(12, sphere = true);
    glu  = ngpt : swiglu(12, sphere = true);
    plain = residual : attention(heads, qk = rmsnorm_affine);
  };
  loss mse(h, y);
}
"""


class Sphere(harness.TestCase):
    def test_weights_stay_on_it(self):
        path = build(self.path("m.so"), file=self.write("m.hc", SPHERE), f64=True)
        with Model(path, 2, 4) as model:
            draw = random.Random(2)
            model.init(1)
            for _ in range(3):
                for name in "xy":
                    model.set_input(name, [draw.gauss(0, 1) for _ in range(2 * 4 * 8)])
                model.forward_backward()
                model.step()
            for name, along in (("attn.Wq", 1), ("attn.Wk", 1), ("attn.Wv", 1), ("attn.Wo", 8), ("mlp.W1", 1),
                                ("mlp.W2", 12), ("glu.Wg", 1), ("glu.Wd", 12)):
                data = model.parameters["trunk." + name].data
                starts = range(0, len(data), 8) if along == 1 else range(along)
                for k in starts:
                    self.assertAlmostEqual(sum(data[k + i * along] ** 2 for i in range(8)), 1, delta=1e-9, msg=name)
        self.expect(harness.hcc("gradcheck", self.path("m.hc")))


if __name__ == "__main__":
    harness.main(__name__)
