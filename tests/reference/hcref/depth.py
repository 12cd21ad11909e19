"""Connections that see all earlier outputs: DenseFormer, MUDD, attention over depth, LAuReL.

Written from the papers and the released code rather than from the `.hc` definitions: lists of
tensors, sums block by block.  The verbs are those of `connections.Connection`; `read` gives a tuple
where the branch takes several inputs.  `sites` is the number of sites of the trunk: what stands
once at the end (a query, a sum) is the last site's parameter `last`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .connections import CONNECTIONS, Connection, rmsnorm


class Depth(Connection):
    def __init__(self, d, site, sites, norm="rmsnorm", eps=None):
        super().__init__(d, site, norm, eps)
        self.is_last = site == sites - 1


class DenseFormer(Depth):
    """arXiv:2402.02622 as its package computes it: outputs in `dilation` groups, an average of the
    group that the new one joins."""

    nodecay = ("a",)

    def __init__(self, d, site, sites, block_sites=2, dilation=1, period=1, **options):
        super().__init__(d, site, sites, **options)
        self.dilation = dilation
        self.closes = (site + 1) % block_sites == 0
        self.block = site // block_sites  # from 0
        self.averages = self.closes and (self.block + 1) % period == 0
        if self.averages:
            size = (self.block + 1 + dilation) // dilation
            self.a = nn.Parameter(torch.eye(size)[-1].clone())

    def begin(self, x):
        return x, [[x]] + [[] for _ in range(self.dilation - 1)]

    def read(self, state):
        return self.norm(state[0]), None

    def write(self, state, y, maps):
        h, groups = state
        h = h + y
        if self.closes:
            at = (self.block + 1) % self.dilation
            groups = [group + [h] if k == at else group for k, group in enumerate(groups)]
            if self.averages:
                h = sum(a * x for a, x in zip(self.a, groups[at], strict=True))
        return h, groups

    def end(self, state):
        return self.norm(state[0])


class Gain(nn.Module):
    """A norm with a gain."""

    nodecay = ("gain",)

    def __init__(self, d):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return self.gain * rmsnorm(x)


class DenseSums(nn.Module):
    """Weights of all outputs so far, made of the last of them; `ways` sums. PrePostDANorm as the authors' JAX code
    has it: `mudd_prenorm` and `mudd_postnorm`."""

    nodecay = ("a", "gain")

    def __init__(self, d, ways, n, rounding, prepost=False):
        super().__init__()
        self.prepost = prepost
        if prepost:
            self.of_h = Gain(d)
            self.gain = nn.Parameter(torch.full((d,), 0.001))
        rows = 4 * n
        if rounding > 1:
            rows = (rows // rounding + 1) * rounding
        self.ways = ways
        self.W1 = nn.Parameter(torch.empty(rows, d).normal_(0, d**-0.5))
        self.W2 = nn.Parameter(torch.zeros(ways, n, rows))
        self.a = nn.Parameter((0 if prepost else 1) * torch.eye(n)[-1].repeat(ways, 1))

    def forward(self, hidden, h):
        u = self.of_h(h) if self.prepost else rmsnorm(h)
        dw = F.gelu(u @ self.W1.T) @ self.W2.flatten(0, 1).T
        dw = dw.unflatten(-1, (self.ways, len(hidden))) + self.a
        sums = [
            sum(dw[..., way, j, None] * x for j, x in enumerate(hidden))
            for way in range(self.ways)
        ]
        if not self.prepost:
            return sums
        return [h + s for s in sums[:-1]] + [h + self.gain * rmsnorm(sums[-1])]


class MUDD(Depth):
    """arXiv:2502.12170: four sums before a block, one at the end."""

    def __init__(self, d, site, sites, block_sites=2, round=1, prepost=False, **options):
        super().__init__(d, site, sites, **options)
        self.opens = site % block_sites == 0
        self.closes = (site + 1) % block_sites == 0
        self.first = Gain(d) if prepost and site == 0 else lambda x: x
        self.each = Gain(d) if prepost and self.closes else lambda x: x
        if self.opens and site:
            self.Z = DenseSums(d, 4, site // block_sites + 1, round, prepost)
        if self.is_last:
            self.last = DenseSums(d, 1, sites // block_sites + 1, round, prepost)

    def begin(self, x):
        return x, [self.first(x)]

    def read(self, state):
        h, hidden = state
        if not self.opens:
            return self.norm(h), h
        q, k, v, residual = self.Z(hidden, h) if self.site else (h, h, h, h)
        return (self.norm(q), self.norm(k), self.norm(v)), residual

    def write(self, state, y, residual):
        h = residual + y
        return h, state[1] + [self.each(h)] if self.closes else state[1]

    def end(self, state):
        return self.norm(self.last(state[1], state[0])[0])


class Router(nn.Module):
    """A softmax over sources for each head, by a learned query and normalised sources."""

    nodecay = ("g",)

    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Parameter(torch.zeros(d))
        self.g = nn.Parameter(torch.ones(d))

    def weights(self, sources):
        """[source, ..., head]"""
        query = (self.q * self.g).unflatten(0, (self.heads, -1))
        keys = [rmsnorm(s).unflatten(-1, (self.heads, -1)) for s in sources]
        return torch.stack([(key * query).sum(-1) for key in keys]).softmax(0)

    def forward(self, sources):
        split = [s.unflatten(-1, (self.heads, -1)) for s in sources]
        return sum(
            p[..., None] * s for p, s in zip(self.weights(sources), split, strict=True)
        ).flatten(-2)


class MHAR(Depth):
    """AttnRes (arXiv:2603.15031) with heads; sums of `block_sites` outputs are one source each,
    an unfinished one among them."""

    def __init__(self, d, site, sites, block_sites=1, depth_heads=4, **options):
        super().__init__(d, site, sites, **options)
        self.closes = (site + 1) % block_sites == 0
        self.u = Router(d, depth_heads)
        if self.is_last:
            self.last = Router(d, depth_heads)

    def begin(self, x):
        return [x], None

    @staticmethod
    def sources(state):
        finished, partial = state
        return finished if partial is None else finished + [partial]

    def read(self, state):
        return self.norm(self.u(self.sources(state))), None

    def write(self, state, y, maps):
        finished, partial = state
        partial = y if partial is None else partial + y
        return (finished + [partial], None) if self.closes else (finished, partial)

    def end(self, state):
        return self.norm(self.last(self.sources(state)))


class AttnRes(MHAR):
    def __init__(self, d, site, sites, block_sites=1, **options):
        super().__init__(d, site, sites, block_sites=block_sites, depth_heads=1, **options)


class DAR(Depth):
    """A residual whose branches also read attention over outputs, or over differences of blocks."""

    nodecay = ("g",)

    def __init__(self, d, site, sites, depth_heads=1, block_sites=1, gated=True, **options):
        super().__init__(d, site, sites, **options)
        self.closes = (site + 1) % block_sites == 0
        self.u = Router(d, depth_heads)
        self.g = nn.Parameter(torch.tensor(0.0)) if gated else None

    def begin(self, x):
        return x, x, [x]

    def read(self, state):
        h, _, sources = state
        routed = self.u(sources)
        return self.norm(h + (routed if self.g is None else self.g * routed)), None

    def write(self, state, y, maps):
        h, start, sources = state
        h = h + y
        return (h, h, sources + [h - start]) if self.closes else (h, start, sources)

    def end(self, state):
        return self.norm(state[0])


def orthogonal_rows(rank, d):
    A = torch.zeros(rank, d)
    A[torch.arange(d) % rank, torch.arange(d)] = 1 / math.sqrt(rank * d)
    return A


class LAuReL(Depth):
    """arXiv:2411.07501: RW (lr=False), LR (rw=False), both."""

    nodecay = ("w",)

    def __init__(self, d, site, sites, rank=16, rw=True, lr=True, **options):
        super().__init__(d, site, sites, **options)
        self.w = nn.Parameter(torch.zeros(2)) if rw else None
        self.A = nn.Parameter(orthogonal_rows(rank, d)) if lr else None
        self.B = nn.Parameter(torch.zeros(d, rank)) if lr else None

    def begin(self, x):
        return x

    def read(self, h):
        return self.norm(h), None

    def write(self, h, y, maps):
        skip = h if self.A is None else h + h @ self.A.T @ self.B.T
        if self.w is None:
            return y + skip
        a, b = 2 * self.w.softmax(0)
        return a * y + b * skip

    def end(self, h):
        return self.norm(h)


class LAuReLPA(Depth):
    """Its form with previous activations."""

    nodecay = ("w",)

    def __init__(self, d, site, sites, rank=16, keep=3, **options):
        super().__init__(d, site, sites, **options)
        self.A = nn.Parameter(orthogonal_rows(rank, d))
        self.B = nn.Parameter(torch.zeros(d, rank))
        self.w = nn.Parameter(torch.ones(min(site + 1, keep)))

    def begin(self, x):
        return [x]

    def read(self, states):
        return self.norm(states[-1]), None

    def write(self, states, y, maps):
        recent = states[-len(self.w) :]
        mixed = sum((w * h) @ self.A.T @ self.B.T for w, h in zip(self.w, recent, strict=True))
        return states + [y + states[-1] + mixed]

    def end(self, states):
        return self.norm(states[-1])


CONNECTIONS.update(
    denseformer=DenseFormer,
    mudd=MUDD,
    attnres=AttnRes,
    mhar=MHAR,
    dar=DAR,
    laurel=LAuReL,
    laurel_pa=LAuReLPA,
)
