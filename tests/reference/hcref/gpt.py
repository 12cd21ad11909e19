"""The character GPT of `examples/shakespeare.hc`, parameter by parameter.

Names are paths of instances: `E`, `pos`, `trunk.<block>.attn.Wq`, `trunk.<block>.attn.hc.P`, ...
Site k = 2 * block + (0: attention, 1: mlp).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from .connections import make_connection


@dataclass
class GPTConfig:
    vocab: int = 256
    context: int = 64
    d: int = 128
    heads: int = 4
    blocks: int = 4
    n: int = 4
    wiring: str = "residual"
    norm: str = "own"  # of the connection; own: its default
    positions: str = "learned"  # learned | rope | none
    mlp_ratio: int = 4
    std: float = 0.02
    embedding_std: float = 0.02
    position_std: float = 0.02
    eps: float | None = None  # of every norm; None: each norm's own
    connection: dict = field(default_factory=dict)  # further options of the connection


def rope(x, theta=10000.0):
    """Rotary positions on [..., T, e]; the pairs are (a, a + e/2)."""
    T, e = x.shape[-2:]
    half = e // 2
    rate = theta ** (-torch.arange(half, dtype=torch.float64) * 2 / e)
    angle = torch.arange(T, dtype=torch.float64)[:, None] * rate
    cos, sin = angle.cos().to(x), angle.sin().to(x)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Attention(nn.Module):
    """Multi-head attention without biases, scores scaled by 1/sqrt(e)."""

    def __init__(self, d, heads, blocks, std, use_rope, causal=True):
        super().__init__()
        if d % heads:
            raise ValueError(f"width {d} does not split into {heads} heads")
        e = d // heads
        self.heads, self.e, self.use_rope, self.causal = heads, e, use_rope, causal
        self.Wq = nn.Parameter(torch.empty(heads, e, d).normal_(0, std))
        self.Wk = nn.Parameter(torch.empty(heads, e, d).normal_(0, std))
        self.Wv = nn.Parameter(torch.empty(heads, e, d).normal_(0, std))
        self.Wo = nn.Parameter(torch.empty(d, heads, e).normal_(0, std / math.sqrt(2 * blocks)))

    def project(self, W, x):
        return F.linear(x, W.flatten(0, 1)).unflatten(-1, (self.heads, self.e)).transpose(-2, -3)

    def forward(self, x, k=None, v=None):
        """Keys are made of x too, and values of what keys are made of, unless they are given."""
        k = x if k is None else k
        inputs = x, k, k if v is None else v
        weights = self.Wq, self.Wk, self.Wv
        q, k, v = (self.project(W, u) for W, u in zip(weights, inputs, strict=True))
        if self.use_rope:
            q, k = rope(q), rope(k)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return F.linear(o.transpose(-2, -3).flatten(-2), self.Wo.flatten(1))


class MLP(nn.Module):
    def __init__(self, d, hidden, blocks, std):
        super().__init__()
        self.W1 = nn.Parameter(torch.empty(hidden, d).normal_(0, std))
        self.W2 = nn.Parameter(torch.empty(d, hidden).normal_(0, std / math.sqrt(2 * blocks)))

    def forward(self, x, z=None):
        """Of the sum of both, where there are two."""
        x = x if z is None else x + z
        return F.linear(F.gelu(F.linear(x, self.W1)), self.W2)


class GPT(nn.Module):
    def __init__(self, config: GPTConfig):
        super().__init__()
        c = self.config = config
        self.E = nn.Parameter(torch.empty(c.vocab, c.d).normal_(0, c.embedding_std))
        if c.positions == "learned":
            self.pos = nn.Parameter(torch.empty(c.context, c.d).normal_(0, c.position_std))
        self.trunk = nn.ModuleList()
        for block in range(c.blocks):
            attn = Attention(c.d, c.heads, c.blocks, c.std, c.positions == "rope")
            mlp = MLP(c.d, c.mlp_ratio * c.d, c.blocks, c.std)
            for i, branch in enumerate((attn, mlp)):
                branch.hc = make_connection(
                    c.wiring,
                    c.d,
                    2 * block + i,
                    n=c.n,
                    norm=c.norm,
                    eps=c.eps,
                    sites=2 * c.blocks,
                    **c.connection,
                )
            self.trunk.append(nn.ModuleDict({"attn": attn, "mlp": mlp}))
        close = getattr(list(self.sites())[-1].hc, "close", None)
        if close:  # parameters of the collapse, which the last site alone has
            close()
        shared = getattr(next(self.sites()).hc, "Shared", None)
        if shared:  # one for the trunk, under the connection's name
            self.shared = [shared()]  # in a list: it belongs to the trunk
            self.trunk.add_module(c.wiring, self.shared[0])
            for branch in self.sites():
                branch.hc.shared = lambda: self.shared[0]

    def after_step(self):
        """What training changes without a gradient."""
        for each in getattr(self, "shared", []):
            each.after_step()

    def sites(self):
        for block in (self.trunk[k] for k in range(self.config.blocks)):
            yield block["attn"]
            yield block["mlp"]

    def forward(self, tokens):
        """Logits [samples, positions, vocab] of integer tokens [samples, positions]."""
        x = F.embedding(tokens, self.E)
        if self.config.positions == "learned":
            x = x + self.pos[: tokens.shape[-1]]
        sites = list(self.sites())
        state = sites[0].hc.begin(x)
        for branch in sites:
            x, maps = branch.hc.read(state)
            y = branch(*x) if isinstance(x, tuple) else branch(x)
            state = branch.hc.write(state, y, maps)
        return F.linear(sites[-1].hc.end(state), self.E)

    def loss(self, tokens, targets):
        return F.cross_entropy(self(tokens).flatten(0, -2), targets.flatten())

    def decay_free(self):
        """Names of the parameters that take no weight decay by the definitions' attributes."""
        return [
            f"{path}.{name}"
            for path, module in self.named_modules()
            for name in getattr(module, "nodecay", ())
            if path and isinstance(getattr(module, name, None), nn.Parameter)
        ]


def save_weights(model, path, metadata=None):
    """All parameters and buffers by name; metadata values must be strings."""
    tensors = {k: v.detach().contiguous().clone() for k, v in model.state_dict().items()}
    save_file(tensors, path, metadata)


def load_weights(model, path):
    """Every name and every shape must agree: a difference is an error, never skipped."""
    given, wanted = load_file(path), model.state_dict()
    missing, extra = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or extra:
        raise ValueError(f"{path}: missing {missing}, not in the model {extra}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            if parameter.shape != given[name].shape:
                raise ValueError(
                    f"{path}: {name} is {list(given[name].shape)}, "
                    f"the model has {list(parameter.shape)}"
                )
            parameter.copy_(given[name])
