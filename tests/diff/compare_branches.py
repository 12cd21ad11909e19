#!/usr/bin/env python3
"""Branches against PyTorch: convolutions, attention in its forms, recurrences, gates, experts, patches.

Each network is small, its parameters random; loss and every gradient must agree, in f64 to 1e-10. And
the examples on pictures must train as PyTorch does.
Without PyTorch (here, or in $HCC_TORCH_PYTHON) everything is skipped.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")

if not MISSING:
    import numpy as np
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)

SAMPLES = 3
# The loss is the mean square of what the trunk gives.
NETWORK = """
%(own)s
connection plain {
  state h[d];
  begin h = x;
  read  x = h;
  write h[c] = h[c] + y[c];
  end   x = h;
}
model m {
  const d = %(d)d;
  positions %(positions)s;
  input x[%(axes)s, 5] : real;
  %(inputs)s
  param E[d, 5] ~ normal(1);
  let e[i] = sum[k] E[i,k] * x[k];
  let h = trunk(e) { a = plain : %(branch)s; };
  loss mean[i] h[i]^2;
}
"""


@harness.unittest.skipIf(MISSING, MISSING)
class Branches(harness.TestCase):
    def load(self, text, f64=True):
        path = self.write(f"m{len(os.listdir(self.folder))}.hc", text)
        self.model = Model(build(path[:-3] + ".so", file=path, f64=f64), samples=SAMPLES)
        self.addCleanup(self.model.close)
        draw = np.random.default_rng(3)
        self.twin = {}
        for name, p in self.model.parameters.items():
            np.ctypeslib.as_array(p.data)[:] = 0.4 * draw.standard_normal(len(p.data))
            values = np.ctypeslib.as_array(p.data).astype(np.float64).reshape(p.dims)
            self.twin[name] = torch.tensor(values, requires_grad=True)

    def draw(self, *shape):
        return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))

    def compare(self, loss, f64=True):
        loss.backward()
        found = self.model.forward()
        self.model.backward()
        limit = 1e-10 if f64 else 1e-4
        self.assertLess(abs(found - loss.item()), limit * abs(loss.item()))
        for name, p in self.twin.items():
            gradient = np.ctypeslib.as_array(self.model.parameters[name].gradient)
            want = p.grad.numpy().flatten()
            gap = np.linalg.norm(gradient - want) / np.linalg.norm(want)
            self.assertLess(gap, limit, name)

    def network(self, f64=True, **words):
        self.load(NETWORK % {"inputs": "", "own": "", **words}, f64)

    def test_conv(self):
        for rows, columns, d, k, hidden in [(5, 4, 6, 3, 8), (3, 7, 4, 5, 3), (6, 6, 8, 2, 5),
                                            (4, 4, 16, 1, 16), (2, 3, 5, 7, 4)]:
            for f64 in (True, False):
                with self.subTest((rows, columns, d, k, hidden, f64)):
                    self.network(f64, d=d, positions=f"(r <= {rows}, c <= {columns})", axes="r, c",
                                 branch=f"conv({hidden}, k = {k}, act = silu)")
                    x = self.draw(SAMPLES, rows * columns, 5)
                    self.model.set_input("x", x.flatten().tolist())
                    e = x @ self.twin["E"].T
                    grid = e.transpose(1, 2).reshape(SAMPLES, d, rows, columns)
                    first, second = (self.twin[f"trunk.a.{w}"].permute(0, 3, 1, 2)
                                     for w in ("W1", "W2"))
                    y = F.conv2d(F.silu(F.conv2d(grid, first, padding="same")), second,
                                 padding="same")
                    self.compare(((grid + y) ** 2).mean(), f64)

    def test_conv1d(self):
        for positions, d, k in [(9, 6, 4), (5, 8, 3), (3, 4, 8), (7, 16, 1)]:
            for f64 in (True, False):
                with self.subTest((positions, d, k, f64)):
                    self.network(f64, d=d, positions=f"t <= {positions} causal", axes="t",
                                 branch=f"conv1d(k = {k})")
                    x = self.draw(SAMPLES, positions, 5)
                    self.model.set_input("x", x.flatten().tolist())
                    e = x @ self.twin["E"].T
                    p = {w: self.twin[f"trunk.a.{w}"] for w in ("Wg", "Wu", "K", "Wo")}
                    gate, u = F.silu(e @ p["Wg"].T), e @ p["Wu"].T
                    padded = F.pad(u.transpose(1, 2), (k - 1, 0))
                    m = F.conv1d(padded, p["K"].T[:, None, :], groups=d).transpose(1, 2)
                    self.compare(((e + (gate * m) @ p["Wo"].T) ** 2).mean(), f64)

    def test_masked_attention(self):
        heads, d, positions = 2, 8, 6
        for causal in (False, True):
            with self.subTest(causal=causal):
                flag = str(causal).lower()
                self.network(d=d, positions=f"t <= {positions}", axes="t",
                             inputs="input seen[t] : token(2); let ok = seen == 1;",
                             branch=f"attention({heads}, causal = {flag}, mask = ok)")
                x = self.draw(SAMPLES, positions, 5)
                seen = torch.tensor([[1, 1, 0, 1, 0, 1], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
                self.model.set_input("x", x.flatten().tolist())
                self.model.set_input("seen", seen.flatten().tolist())
                e = x @ self.twin["E"].T
                q, k, v = (torch.einsum("had,std->shta", self.twin[f"trunk.a.W{w}"], e)
                           for w in "qkv")
                allowed = seen.bool()[:, None, None, :].expand(-1, 1, positions, -1)
                if causal:
                    allowed = allowed & torch.ones(positions, positions).tril().bool()
                o = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
                y = torch.einsum("dha,shta->std", self.twin["trunk.a.Wo"], o)
                self.compare(((e + y) ** 2).mean())

    def sequence(self, branch, d, positions, f64=True, own=""):
        """A network over a line, and what its trunk is given, by PyTorch."""
        self.network(f64, d=d, positions=f"t <= {positions}", axes="t", branch=branch, own=own)
        x = self.draw(SAMPLES, positions, 5)
        self.model.set_input("x", x.flatten().tolist())
        return x @ self.twin["E"].T

    def recurrent(self, body, d, positions, f64):
        return self.sequence("recurrent", d, positions, f64, own="branch recurrent : x[d] -> y[d] {" + body + "}")

    def test_gated_recurrences(self):
        """Against a loop over positions: a minimal gated unit, and a real-gated linear one."""
        def run(f, u):
            m, states = torch.zeros_like(u[:, 0]), []
            for t in range(u.shape[1]):
                m = f[:, t] * m + u[:, t]
                states.append(m)
            return torch.stack(states, 1)

        for d, positions, f64 in ((6, 9, True), (33, 5, True), (64, 40, False), (65, 3, True), (9, 1, True)):
            with self.subTest("minGRU", d=d, positions=positions, f64=f64):
                e = self.recurrent("""
                    param Wz[d, d], Wh[d, d], Wo[d, d] ~ normal(0.02);
                    let z[k] = sigmoid(sum[c] Wz[k,c] * x[c]);
                    let h[k] = sum[c] Wh[k,c] * x[c];
                    let m[k] = recur(1 - z[k], z[k] * h[k]);
                    let y[c] = sum[k] Wo[c,k] * m[k];""", d, positions, f64)
                p = {w: self.twin[f"trunk.a.{w}"] for w in ("Wz", "Wh", "Wo")}
                z = torch.sigmoid(e @ p["Wz"].T)
                self.compare(((e + run(1 - z, z * (e @ p["Wh"].T)) @ p["Wo"].T) ** 2).mean(), f64)
            with self.subTest("RG-LRU", d=d, positions=positions, f64=f64):
                e = self.recurrent("""
                    param Wr[d, d], Wi[d, d] ~ normal(0.02), L[d] = 1;
                    let r[k] = sigmoid(sum[c] Wr[k,c] * x[c]), i[k] = sigmoid(sum[c] Wi[k,c] * x[c]);
                    let a[k] = exp(-8 * softplus(L[k]) * r[k]);
                    let y[k] = recur(a[k], sqrt(1 - a[k]^2) * i[k] * x[k]);""", d, positions, f64)
                p = {w: self.twin[f"trunk.a.{w}"] for w in ("Wr", "Wi", "L")}
                a = torch.exp(-8 * F.softplus(p["L"]) * torch.sigmoid(e @ p["Wr"].T))
                u = torch.sqrt(1 - a ** 2) * torch.sigmoid(e @ p["Wi"].T) * e
                self.compare(((e + run(a, u)) ** 2).mean(), f64)

    def test_scans(self):
        """Against loops over positions: a gated recurrent unit, and a matrix under the delta rule."""
        def gated(e, p):
            h, states = torch.zeros_like(e[:, 0]), []
            for t in range(e.shape[1]):
                a = torch.einsum("ikc,sc->isk", p["W"], e[:, t])
                u = torch.einsum("ikc,sc->isk", p["U"], h)
                r, z = torch.sigmoid(a[0] + u[0]), torch.sigmoid(a[1] + u[1])
                h = (1 - z) * torch.tanh(a[2] + r * u[2]) + z * h
                states.append(h)
            return torch.stack(states, 1)

        def delta(e, p):
            q, k, v = (torch.einsum("ac,stc->sta", p["P"][i], e) for i in range(3))
            k = k * torch.rsqrt(1 + (k ** 2).sum(-1, keepdim=True))
            beta = torch.sigmoid(e @ p["b"])
            S, read = torch.zeros(len(e), k.shape[-1], k.shape[-1], dtype=e.dtype), []
            for t in range(e.shape[1]):
                gap = v[:, t] - torch.einsum("sab,sb->sa", S, k[:, t])
                S = S + beta[:, t, None, None] * torch.einsum("sa,sb->sab", gap, k[:, t])
                read.append(torch.einsum("sab,sb->sa", S, q[:, t]))
            return torch.stack(read, 1)

        bodies = {"GRU": (gated, "WU", """
                    param W[3, d, d], U[3, d, d] ~ normal(0.02);
                    let h[k < d] = 0;
                    scan {
                      let a[i,k] = sum[c] W[i,k,c] * x[c], u[i,k] = sum[j] U[i,k,j] * h[j];
                      let r[k] = sigmoid(a[0,k] + u[0,k]), z[k] = sigmoid(a[1,k] + u[1,k]);
                      h[k] = (1 - z[k]) * tanh(a[2,k] + r[k] * u[2,k]) + z[k] * h[k];
                    }
                    let y = h;"""),
                  "delta": (delta, "Pb", """
                    param P[3, d, d], b[d] ~ normal(0.02);
                    let p[i,a] = sum[c] P[i,a,c] * x[c];
                    let k[a] = p[1,a] * rsqrt(1 + sum[b] p[1,b]^2), beta = sigmoid(sum[c] b[c] * x[c]);
                    let S[a < d, b < d] = 0, y[a < d] = 0;
                    scan {
                      S[a,b] = S[a,b] + beta * (p[2,a] - sum[j] S[a,j] * k[j]) * k[b];
                      y[a] = sum[b] S[a,b] * p[0,b];
                    }""")}
        for name, (run, parameters, body) in bodies.items():
            for d, positions, f64 in ((6, 9, True), (33, 5, True), (64, 20, False), (65, 2, True)):
                with self.subTest(name, d=d, positions=positions, f64=f64):
                    e = self.recurrent(body, d, positions, f64)
                    p = {w: self.twin[f"trunk.a.{w}"] for w in parameters}
                    self.compare(((e + run(e, p)) ** 2).mean(), f64)

    def test_grouped_queries(self):
        for heads, kv, d in [(4, 2, 8), (6, 2, 24), (4, 1, 64), (3, 3, 12)]:
            for f64 in (True, False):
                with self.subTest((heads, kv, d, f64)):
                    e = self.sequence(f"attention({heads}, kv_heads = {kv})", d, 7, f64)
                    q, k, v = (torch.einsum("had,std->shta", self.twin[f"trunk.a.W{w}"], e)
                               for w in "qkv")
                    self.assertEqual(k.shape[1], kv)
                    o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
                    y = torch.einsum("dha,shta->std", self.twin["trunk.a.Wo"], o)
                    self.compare(((e + y) ** 2).mean(), f64)

    def test_gates(self):
        gates = {"swiglu": F.silu, "geglu": F.gelu, "reglu": F.relu,
                 "swiglu(act = tanh)": torch.tanh}
        for name, act in gates.items():
            with self.subTest(name):
                branch = name[:-1] + ", hidden = 20)" if name[-1] == ")" else f"{name}(20)"
                e = self.sequence(branch, 10, 6)
                p = {w: self.twin[f"trunk.a.{w}"] for w in ("Wg", "Wu", "Wd")}
                y = (act(e @ p["Wg"].T) * (e @ p["Wu"].T)) @ p["Wd"].T
                self.compare(((e + y) ** 2).mean())

    def test_mixture_of_experts(self):
        """Routing by torch.topk, the penalty as Switch's; the same experts, sparsely."""
        for experts, top, hidden, d, balance in [(4, 2, 6, 8, 0.1), (8, 1, 40, 48, 1), (5, 5, 7, 6, 2),
                                                 (3, 2, 5, 8, 0)]:
            for f64 in (True, False):
                with self.subTest((experts, top, balance, f64)):
                    e = self.sequence(f"moe({hidden}, experts = {experts}, top = {top}, act = silu, "
                                      f"balance = {balance})", d, 9, f64)
                    p = {w: self.twin[f"trunk.a.{w}"] for w in ("R", "W1", "W2")}
                    flat = e.reshape(-1, d)
                    probability = torch.softmax(flat @ p["R"].T, -1)
                    chosen, which = probability.topk(top, -1)
                    weight = chosen / chosen.sum(-1, keepdim=True)
                    y = torch.stack([
                        sum(weight[i, j] * p["W2"][:, k] @ F.silu(p["W1"][k] @ flat[i])
                            for j, k in enumerate(which[i].tolist())) for i in range(len(flat))])
                    share = F.one_hot(which, experts).sum(1).double().mean(0) / top
                    penalty = balance * experts * (share * probability.mean(0)).sum()
                    self.compare(((flat + y) ** 2).mean() + penalty, f64)
                    if balance:
                        found = self.model.output("trunk.a.f")[0]
                        self.assertLess(max(abs(a - b.item()) for a, b in zip(found, share)), 1e-6)

    def test_equal_experts(self):
        """Of equals the first are chosen, so that exactly `top` are."""
        self.sequence("moe(4, experts = 6, top = 3)", 6, 5)
        self.model.parameters["trunk.a.R"].data[:] = [0.0] * 36
        self.model.forward()
        for a, b in zip(self.model.output("trunk.a.f")[0], [1 / 3] * 3 + [0] * 3):
            self.assertAlmostEqual(a, b, delta=1e-12)

    def test_patches(self):
        """Patches are a convolution whose stride is its width."""
        for rows, columns, p in [(3, 2, 2), (2, 2, 3), (7, 7, 4)]:
            with self.subTest((rows, columns, p)):
                self.load("""
model m {
  const d = 6, p = %d;
  positions (r <= %d, c <= %d);
  input image[%d, %d, 3] : real;
  param W[d, p, p, 3] ~ normal(1);
  let x[k] = sum[a, b, i] W[k,a,b,i] * image[p * r + a, p * c + b, i];
  let y[k] = x[k] * (1 + r + 10 * c);
  loss mean[k] y[k]^2;
}""" % (p, rows, columns, p * rows, p * columns))
                image = self.draw(SAMPLES, p * rows, p * columns, 3)
                self.model.set_input("image", image.flatten().tolist())
                x = F.conv2d(image.permute(0, 3, 1, 2), self.twin["W"].permute(0, 3, 1, 2), stride=p)
                r, c = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
                self.compare(((x * (1 + r + 10 * c)) ** 2).mean())

    def test_looked_up_rows(self):
        """What is looked up by position and by token has a gradient: a scatter."""
        self.load("""
model m {
  const d = 5;
  positions t <= 6;
  input  x[t, 7, 2] : real;
  input  tokens[t]  : token(4);
  param E[4, d], P[6, d], Q[7, 2, d] ~ normal(1);
  let m = argmax[k] x[k, 0];
  let s[k] = sum[i, j] x[i,j] * Q[i,j,k];
  let y[k] = E[tokens, k] * P[t, k] + s[k] * Q[m, 1, k] + Q[6 - t, 0, k];
  loss mean[k] y[k]^2;
}""")
        x, tokens = self.draw(SAMPLES, 6, 7, 2), torch.arange(SAMPLES * 6).reshape(SAMPLES, 6) % 4
        self.model.set_input("x", x.flatten().tolist())
        self.model.set_input("tokens", tokens.flatten().tolist())
        q = self.twin["Q"]
        m = x[..., 0].argmax(-1)
        s = torch.einsum("stij,ijk->stk", x, q)
        y = (self.twin["E"][tokens] * self.twin["P"] + s * q[m, 1]
             + q[6 - torch.arange(6), 0])
        self.compare((y ** 2).mean())


@harness.unittest.skipIf(MISSING, MISSING)
class Training(harness.TestCase):
    """The examples on pictures, cut down: the same batches and optimiser in PyTorch, step by step."""

    STEPS, BATCH, RATE, WARMUP = 40, 8, 5e-3, 5

    def train(self, example, **sizes):
        draw = np.random.default_rng(2)
        self.pictures = draw.integers(0, 17, (60, 8, 8))
        self.digits = draw.integers(0, 10, 60)
        self.write("digits.csv", "".join(",".join(map(str, [*p.flatten(), y])) + "\n"
                                         for p, y in zip(self.pictures, self.digits)))
        words = {"wiring": "residual", "train.steps": self.STEPS, "train.batch": self.BATCH,
                 "train.lr": self.RATE, "train.warmup": self.WARMUP, "train.eval_every": 0, **sizes}
        settings = [w for k, v in words.items() for w in ("--set", f"{k}={v}")]
        path = os.path.join(harness.ROOT, "examples", example)
        self.expect(harness.hcc("train", path, "--data", self.folder, "--precision", "f64", "--out",
                                self.path("run"), "--batch-log", self.path("batches"), *settings))
        self.expect(harness.hcc("build", path, "-o", self.path("m.so"), "--precision", "f64", *settings))
        with open(self.path("run/log.jsonl"), encoding="utf-8") as log:
            self.found = [json.loads(line)["loss"] for line in log]
        with open(self.path("run/summary.json"), encoding="utf-8") as file:
            self.summary = json.load(file)
        with Model(self.path("m.so")) as model:
            model.init(1)
            self.twin = {name: torch.tensor(np.ctypeslib.as_array(p.data).reshape(p.dims).copy(),
                                            requires_grad=True)
                         for name, p in model.parameters.items()}
            self.decay = {p["name"]: p["decay"] for p in model.manifest["params"]}

    def compare(self, logits, weight_decay):
        """logits: of a batch of pictures, [samples, 8, 8]."""
        x, y = torch.tensor(self.pictures / 16), torch.tensor(self.digits)
        groups = [{"params": [p for k, p in self.twin.items() if self.decay[k] == decay],
                   "weight_decay": weight_decay if decay else 0} for decay in (True, False)]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.RATE,
                                      betas=(0.9, 0.99))
        rows = np.fromfile(self.path("batches"), dtype=np.int64).reshape(self.STEPS, self.BATCH)
        gap = 0
        for step, batch in enumerate(rows):
            span = self.STEPS - 1 - self.WARMUP
            t = (step - self.WARMUP) / span
            now = self.RATE * ((step + 1) / self.WARMUP if step < self.WARMUP
                               else 0.05 + 0.95 * 0.5 * (1 + np.cos(np.pi * t)))
            for group in optimizer.param_groups:
                group["lr"] = now
            optimizer.zero_grad()
            loss = F.cross_entropy(logits(x[batch]), y[batch])
            gap = max(gap, abs(loss.item() - self.found[step]) / loss.item())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.twin.values(), 1.0)
            optimizer.step()
        held = sorted(set(range(60)) - set(rows.flatten().tolist()))
        self.assertEqual(len(held), self.summary["val_windows"])
        with torch.no_grad():
            scores = logits(x[held])
            loss = F.cross_entropy(scores, y[held]).item()
            accuracy = (scores.argmax(-1) == y[held]).double().mean().item()
        self.assertLess(gap, 1e-8)
        self.assertLess(abs(loss - self.summary["val_loss"]), 1e-8 * loss)
        self.assertAlmostEqual(accuracy, self.summary["val_metrics"]["accuracy"], delta=1e-12)

    @staticmethod
    def norm(h):
        return h * (h.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt()

    def test_convnet(self):
        self.train("convnet.hc", d=6, blocks=2)
        p = self.twin

        def conv(h, name):  # h is [samples, 64, d]
            grid = h.transpose(1, 2).reshape(len(h), -1, 8, 8)
            out = F.conv2d(grid, p[name].permute(0, 3, 1, 2), padding="same")
            return out.flatten(2).transpose(1, 2)

        def logits(x):
            h = F.conv2d(x[:, None], p["S"][:, None], padding="same").flatten(2).transpose(1, 2)
            for k in range(2):
                h = h + conv(F.relu(conv(self.norm(h), f"trunk.{k}.conv.W1")), f"trunk.{k}.conv.W2")
            return self.norm(h).mean(1) @ p["head"].T
        self.compare(logits, 0.1)

    def test_vision_transformer(self):
        self.train("vit.hc", d=8, heads=2, blocks=2)
        p = self.twin

        def attention(h, name):
            q, k, v = (torch.einsum("had,std->shta", p[f"{name}.W{w}"], h) for w in "qkv")
            return torch.einsum("dha,shta->std", p[f"{name}.Wo"],
                                F.scaled_dot_product_attention(q, k, v))

        def logits(x):
            h = F.conv2d(x[:, None], p["P"][:, None], stride=2)
            h = h + p["R"].T[:, :, None] + p["C"].T[:, None, :]
            h = h.flatten(2).transpose(1, 2)
            for k in range(2):
                h = h + attention(self.norm(h), f"trunk.{k}.attn")
                u = F.gelu(self.norm(h) @ p[f"trunk.{k}.mlp.W1"].T)
                h = h + u @ p[f"trunk.{k}.mlp.W2"].T
            return self.norm(h).mean(1) @ p["head"].T
        self.compare(logits, 0.5)


if __name__ == "__main__":
    harness.main(__name__)
