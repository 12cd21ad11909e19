#!/usr/bin/env python3
"""docs/from_pytorch.md: every line of its tables compiles as it stands there, and computes what PyTorch does.

All lines are compiled into one model in f64 (those on a grid into another); their values, their losses and
every gradient are compared."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")
if not MISSING:
    import numpy as np
    import torch
    from torch.nn import functional as F

SAMPLES, T, D, K, HEADS, VOCAB, ROWS, COLUMNS = 3, 7, 12, 5, 3, 11, 4, 6
GRID = "(r, c)"
PAGE = os.path.join(harness.ROOT, "docs", "from_pytorch.md")


def tables():
    """Of each table under its heading: the cells of its rows."""
    found, heading = {}, None
    with open(PAGE, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                heading = line[3:].strip()
            if line.startswith("| ") and not line.startswith("| PyTorch"):
                theirs, ours = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
                found.setdefault(heading, []).append((theirs, ours.strip("`")))
    return found


def affine_norm(x, norm, *parameters):
    return norm(x, (D,), *parameters, eps=1e-5 if norm is F.layer_norm else 1e-6)


def heads_of(x):
    return x.view(SAMPLES, T, HEADS, D // HEADS).transpose(1, 2)


def attention(p, x, path):
    q, k, v = (torch.einsum("hac,btc->bhta", p[f"{path}.{name}"], x) for name in ("Wq", "Wk", "Wv"))
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return torch.einsum("cha,bhta->btc", p[f"{path}.Wo"], o)


def mlp(p, x, path):
    return F.linear(F.gelu(F.linear(x, p[f"{path}.W1"])), p[f"{path}.W2"])


def norm(x):
    return F.rms_norm(x, (D,), eps=1e-6)


def blocks(p, x):
    for k in range(3):
        x = x + attention(p, norm(x), f"{k}.attn")
        x = x + mlp(p, norm(x), f"{k}.mlp")
    return norm(x)


def recurrence(f, u):
    m, found = torch.zeros_like(u[:, 0]), []
    for t in range(u.shape[1]):
        m = f[:, t] * m + u[:, t]
        found.append(m)
    return torch.stack(found, 1)


def recurrent_network(W, x):
    h, found = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] + h @ W.T)
        found.append(h)
    return torch.stack(found, 1)


# What begins a line's PyTorch: the shape of the line's `y` as its wrapper has it, what stands before
# the line, and PyTorch's value of parameters by name, x and tokens. `(r, c)`: on a grid.
LAYERS = {
    "nn.Linear": ("y[k]", "", lambda p, x, _: F.linear(x, p["W"], p["b"])),
    "nn.Embedding": ("y[d]", "", lambda p, x, tokens: F.embedding(tokens, p["E"])),
    "nn.LayerNorm": ("y[d]", "", lambda p, x, _: affine_norm(x, F.layer_norm, p["y.gain"], p["y.bias"])),
    "nn.RMSNorm": ("y[d]", "", lambda p, x, _: affine_norm(x, F.rms_norm, p["y.gain"])),
    "F.scaled_dot": ("y[heads, d / heads]", "const e = d / heads; let q[h < heads, a < e] = x[h * e + a]; "
                     "let k = 2 * q; let v[h,a] = sin(q[h,a]);",
                     lambda p, x, _: F.scaled_dot_product_attention(
                         heads_of(x), 2 * heads_of(x), heads_of(x).sin(), is_causal=True).transpose(1, 2)),
    "F.gelu(x)": ("y[d]", "", lambda p, x, _: F.gelu(x)),
    "F.gelu(x, approximate": ("y[d]", "", lambda p, x, _: F.gelu(x, approximate="tanh")),
    "F.silu": ("y[d]", "", lambda p, x, _: F.silu(x)),
    "F.dropout": ("y[d]", "", lambda p, x, _: F.dropout(x, 0.1, False)),
    "nn.Conv1d": ("y[k]", "", lambda p, x, _: F.conv1d(
        F.pad(x.transpose(1, 2), (2, 0)), p["K"].transpose(1, 2)).transpose(1, 2)),
    "nn.Conv2d": (GRID, "", lambda p, x, _: F.conv2d(
        x.permute(0, 3, 1, 2), p["K"].permute(0, 3, 1, 2), padding=1).permute(0, 2, 3, 1)),
    "torch.einsum": ("y[k, k]", "", lambda p, x, _: torch.einsum("ic,btc,jc->btij", p["A"], x, p["B"])),
    "F.softmax": ("y[d]", "", lambda p, x, _: F.softmax(x, dim=-1)),
    "torch.logsumexp": ("y", "", lambda p, x, _: torch.logsumexp(x, dim=-1)),
    "x.view": ("y[d / heads, heads]", "", lambda p, x, _: x.view(SAMPLES, T, HEADS, -1).transpose(2, 3)),
    "torch.where": ("y[d]", "", lambda p, x, _: torch.where(x > 0, x, 0.1 * x)),
    "F.one_hot": ("y[vocab]", "", lambda p, x, tokens: F.one_hot(tokens, VOCAB).double()),
    "x.gather": ("y", "", lambda p, x, _: x.gather(-1, x.argmax(-1, keepdim=True)).squeeze(-1)),
    "x * x.detach": ("y[d]", "", lambda p, x, _: x * x.detach()),
    "F.pad": ("y[d]", "", lambda p, x, _: F.pad(x, (0, 0, 1, 0))[:, :-1]),
    "for t in range(T): m": ("y[d]", "let f = sigmoid(x), u = sin(x);",
                             lambda p, x, _: recurrence(torch.sigmoid(x), torch.sin(x))),
    "for t in range(T): h": ("y[d]", "", lambda p, x, _: recurrent_network(p["W"], x)),
    "x.cumsum": ("y[d]", "", lambda p, x, _: x.cumsum(1)),
    "x.mean": ("pooled", "", lambda p, x, _: x.mean(dim=1)),
    "x + attn": ("trunk", "", lambda p, x, _: norm(x + attention(p, norm(x), "attn"))),
    "nn.ModuleList": ("trunk", "", lambda p, x, _: blocks(p, x)),
}

CONSTANTS = f"const k = {K}, vocab = {VOCAB}, heads = {HEADS};\n"
HEAD = CONSTANTS + f"""model page {{
  const d = {D};
  positions t <= {T};
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param X[vocab, d], E[vocab, d] ~ normal(1);
  let x = embed(tokens, X);
"""
GRID_HEAD = CONSTANTS + f"""model page {{
  positions (row <= {ROWS}, column <= {COLUMNS});
  input picture[row, column, {D}] : real;
"""


class Line:
    """A line of a table in the model."""

    def __init__(self, number, theirs, ours):
        self.number, self.theirs, self.ours, self.name = number, theirs, ours, f"r{number}"
        found = [entry for begin, entry in LAYERS.items() if theirs.startswith("`" + begin)]
        assert len(found) == 1, f"PyTorch's side of {theirs} is not known here"
        self.shape, self.before, self.value = found[0]
        if self.shape == "pooled":
            self.name = re.search(r"let (\w+)", ours).group(1)

    def definition(self):
        if self.shape in ("pooled", "trunk"):
            return ""
        result, takes = ("y[k]" if self.shape == GRID else self.shape), "x[d], tokens"
        result = result.replace("d / heads", str(D // HEADS))
        return f"module line{self.number} : {takes} -> {result} {{\n  {self.before}\n  {self.ours}\n}}\n"

    def statements(self):
        if self.shape == "pooled":
            return f"  {self.ours}\n"
        if self.shape == "trunk":
            return f"  let {self.name} = trunk(x) {{ {self.ours} }};\n"
        takes = "picture, 0" if self.shape == GRID else "x, tokens"
        return f"  let {self.name} = line{self.number}({takes});\n"

    def squares(self):
        """Of a value at one position the mean of its squares."""
        rank = {"y": 0, GRID: 1, "pooled": 1, "trunk": 1}.get(self.shape, self.shape.count(",") + 1)
        if rank == 0:
            return f"{self.name}^2"
        axes = ", ".join("ij"[:rank])
        return f"(mean[{axes}] {self.name}[{axes}]^2)"


def page_lines():
    found = tables()
    rows = found["Layers and tensors"] + found["Networks and losses"][:2]
    return [Line(k, *row) for k, row in enumerate(rows)], found


def model_of(lines, head, more=""):
    text = head + "".join(line.statements() for line in lines)
    text += "".join(f"  probe {line.name};\n  loss {line.squares()};\n" for line in lines)
    return f"{text}{more}}}\n" + "".join(line.definition() for line in lines)


def split(lines):
    """Those at positions of a text, those on a grid."""
    return [line for line in lines if line.shape != GRID], [line for line in lines if line.shape == GRID]


class Page(harness.TestCase):
    def test_every_line_compiles(self):
        lines, found = page_lines()
        text, grid = split(lines)
        self.assertGreaterEqual(sum(len(rows) for rows in found.values()), 40)
        rest = found["Networks and losses"][2:] + found["Parameters and training"][:3]
        train = found["Parameters and training"][3:]
        written = model_of(text, HEAD, "".join(f"  {ours}\n" for _, ours in rest))
        written += "train page {\n" + "".join(f"  {ours}\n" for _, ours in train) + "}\n"
        for spec in (written, model_of(grid, GRID_HEAD)):
            self.expect(harness.hcc("check", self.write("page.hc", spec)))

    def test_commands_are_there(self):
        for _, ours in tables()["Around it"]:
            for command in re.findall(r"hcc [^`]*", ours):
                words = command.split()
                said = self.expect(harness.hcc(words[1], "--help")).out
                for option in (word for word in words if word.startswith("--")):
                    self.assertIn(option, said, command)


@unittest.skipIf(MISSING, MISSING)
class Values(harness.TestCase):
    def open(self, spec, **inputs):
        """A model with parameters of size 1, after its backward pass; and those parameters in PyTorch."""
        path = build(self.path("page.so"), file=self.write("page.hc", spec), f64=True)
        model = Model(path, samples=SAMPLES)
        self.addCleanup(model.close)
        model.init(3)
        for name, p in model.parameters.items():
            data = np.ctypeslib.as_array(p.data)
            data[:] = 0 if name == "m" else self.generator.normal(size=data.shape)
        for name, values in inputs.items():
            model.set_input(name, values.ravel().tolist())
        model.training(False)
        model.forward()
        model.backward()
        return model, {name: torch.tensor(np.ctypeslib.as_array(q.data).copy()).view(q.dims).requires_grad_(name != "m")
                       for name, q in model.parameters.items()}

    def setUp(self):
        super().setUp()
        self.generator = np.random.default_rng(5)

    def values(self, model, lines, p, x, tokens=None):
        """The lines' part of the loss."""
        loss = 0
        for line in lines:
            begin = f"{line.name}."
            wanted = line.value({name.removeprefix(begin): q for name, q in p.items() if name.startswith(begin)}, x, tokens)
            found, _ = model.output(line.name)
            with self.subTest(line.theirs):
                self.assertEqual(len(found), wanted.numel())
                self.assertLess(np.abs(np.array(found) - wanted.detach().numpy().ravel()).max(), 1e-12)
            loss = loss + wanted.square().mean()
        return loss

    def gradients(self, model, p, loss):
        self.assertLess(abs(model.loss() - loss.item()) / loss.item(), 1e-12)
        loss.backward()
        for name, q in model.parameters.items():
            if p[name].requires_grad:
                with self.subTest(name):
                    error = np.abs(np.ctypeslib.as_array(q.gradient) - p[name].grad.numpy().ravel()).max()
                    self.assertLess(error, 1e-10)

    def test_lines(self):
        lines, found = page_lines()
        lines, rest = split(lines)[0], found["Networks and losses"][2:] + found["Parameters and training"][:1]
        tokens, following = self.generator.integers(0, VOCAB, (2, SAMPLES, T))
        model, p = self.open(model_of(lines, HEAD, "".join(f"  {ours}\n" for _, ours in rest)), tokens=tokens, next=following)
        tokens, following = torch.from_numpy(tokens), torch.from_numpy(following).ravel()
        x = p["X"][tokens]
        loss = self.values(model, lines, p, x, tokens)
        logits = F.linear(x, p["E"]).flatten(0, 1)
        loss = loss + F.cross_entropy(logits, following, label_smoothing=0.1)
        loss = loss + F.cross_entropy(logits, following, ignore_index=0)
        self.gradients(model, p, loss)
        found, _ = model.output("accuracy")
        self.assertAlmostEqual(found[0], (logits.argmax(-1) == following).double().mean().item())
        # what a buffer is after a step
        model.training(True)
        model.forward_backward()
        model.step()
        mean = 0.1 * x.detach().mean((0, 1)).numpy()
        self.assertLess(np.abs(np.ctypeslib.as_array(model.parameters["m"].data) - mean).max(), 1e-12)

    def test_lines_on_a_grid(self):
        lines = split(page_lines()[0])[1]
        self.assertEqual(len(lines), 1)
        picture = self.generator.normal(size=(SAMPLES, ROWS, COLUMNS, D))
        model, p = self.open(model_of(lines, GRID_HEAD), picture=picture)
        self.gradients(model, p, self.values(model, lines, p, torch.from_numpy(picture)))


harness.main(__name__)
