"""The constrained family: mixing maps that keep sums, or lengths, whatever their parameters.

Transcribed from the papers' equations, and kept apart from the `.hc` definitions in method: a matrix
product, a Kronecker product, a linear solve are the library's here.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

from .connections import (
    CONNECTIONS,
    RMS_EPS,
    Streams,
    layernorm,
    mix,
    onehot,
    sinkhorn,
    sinkhorn_v4,
    spread,
)


class Collapse(nn.Module):
    """DeepSeek-V4's read-out (`head_streams`)."""

    nodecay = ("b", "a")

    def __init__(self, n, d, eps):
        super().__init__()
        self.eps = eps
        self.P = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
        self.b = nn.Parameter(torch.zeros(n))
        self.a = nn.Parameter(torch.tensor(0.01))

    def forward(self, H):
        v = H.flatten(-2)
        z = (v * torch.rsqrt(v.square().mean(-1, keepdim=True) + self.eps)) @ self.P.flatten(1).T
        g = torch.sigmoid(self.a * z + self.b) + 1e-6
        return (g[..., None] * H).sum(-2)


class Gated(Streams):
    """Read and write weights from the whole state, and a mixing map that a subclass makes.

    `logits` is the number of coefficients that the map is made of.
    """

    nodecay = ("bp", "bq", "br", "ap", "aq", "ar")
    std, read_bias, write_bias, hc_eps = 0.0, (2, -1), (2, -1), 0.0

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, logits=()):
        super().__init__(d, site, n, norm, eps)
        self.state_eps = RMS_EPS if eps is None else eps
        self.P = nn.Parameter(self.std * torch.randn(n, n, d))
        self.Q = nn.Parameter(self.std * torch.randn(n, n, d))
        self.bp = nn.Parameter(self.read_bias[0] * onehot(site, n) + self.read_bias[1])
        self.bq = nn.Parameter(self.write_bias[0] * onehot(site, n) + self.write_bias[1])
        self.ap = nn.Parameter(torch.tensor(0.01))
        self.aq = nn.Parameter(torch.tensor(0.01))
        if logits:
            self.R = nn.Parameter(self.std * torch.randn(*logits, n, d))
            self.br = nn.Parameter(torch.zeros(*logits))
            self.ar = nn.Parameter(torch.tensor(0.01))

    def normalised(self, H):
        v = H.flatten(-2)
        return v * torch.rsqrt(v.square().mean(-1, keepdim=True) + self.state_eps)

    def project(self, W, v):
        """W [..., n, d] against v [..., n d]: one coefficient for each of W's leading indices."""
        return torch.tensordot(v, W.flatten(-2), dims=([-1], [-1]))

    def gates(self, v):
        pre = torch.sigmoid(self.ap * self.project(self.P, v) + self.bp) + self.hc_eps
        return pre, 2 * torch.sigmoid(self.aq * self.project(self.Q, v) + self.bq)

    def coefficients(self, v):
        return self.ar * self.project(self.R, v) + self.br

    def mixing(self, v):
        """M [..., destination, source]."""
        raise NotImplementedError

    def maps(self, H):
        v = self.normalised(H)
        pre, post = self.gates(v)
        return pre, self.mixing(v), post


class IHC(Gated):
    """M is the identity; DeepSeek-V4's collapse, which `close` gives to the last site."""

    std, read_bias, write_bias, hc_eps = 0.02, (6, -3), (0, 0), 1e-6

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, reduce="head_streams"):
        super().__init__(d, site, n, norm, eps)
        self.by = reduce

    def close(self):
        if self.by == "head_streams":
            self.reduce = Collapse(self.n, self.d, self.state_eps)

    def mixing(self, v):
        return torch.eye(self.n, dtype=v.dtype)

    def end(self, H):
        return self.norm(self.reduce(H)) if hasattr(self, "reduce") else super().end(H)


def birkhoff(weights, n):
    """Sum of weights over permutations in lexicographic order; row i has its entry in column p(i)."""
    order = torch.tensor(list(itertools.permutations(range(n))))
    basis = torch.eye(n, dtype=weights.dtype)[order]  # [n!, i, p(i)]
    return torch.tensordot(weights, basis, dims=1)


class MHCLite(Gated):
    """arXiv 2601.05732: a convex combination of all permutations."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps, logits=(math.factorial(n),))
        with torch.no_grad():
            self.br[1:] = -8

    def mixing(self, v):
        return birkhoff(torch.softmax(self.coefficients(v), -1), self.n)


def kronecker(weights):
    """Kronecker product of [[p, q], [q, p]] for weights [..., K, 2] of (p, q)."""
    M = torch.ones(*weights.shape[:-2], 1, 1, dtype=weights.dtype)
    for p, q in (w.unbind(-1) for w in weights.unbind(-2)):
        U = torch.stack([torch.stack([p, q], -1), torch.stack([q, p], -1)], -2)
        M = torch.einsum("...ab,...cd->...acbd", M, U).flatten(-4, -3).flatten(-2, -1)
    return M


class Krom(Gated):
    """arXiv 2601.21579: a Kronecker product of 2 by 2 maps."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps, logits=(int(math.log2(n)), 2))
        with torch.no_grad():
            self.br[:, 1] = -8

    def mixing(self, v):
        return kronecker(torch.softmax(self.coefficients(v), -1))


def skew(t, m):
    """A skew matrix from its entries above the diagonal, in reading order."""
    A = torch.zeros(*t.shape[:-1], m, m, dtype=t.dtype)
    i, j = torch.triu_indices(m, m, offset=1)
    A[..., i, j] = t
    return A - A.mT


def cayley(A):
    """(I - A) (I + A)^-1."""
    I = torch.eye(A.shape[-1], dtype=A.dtype)
    return torch.linalg.solve(I + A, I - A, left=False)


def orthostochastic(t, n, s):
    """Squared entries of an orthogonal matrix, summed over blocks of s by s."""
    Q = cayley(skew(t, n * s))
    return Q.square().unflatten(-1, (n, s)).unflatten(-3, (n, s)).sum((-3, -1)) / s


class GoMHC(Gated):
    """arXiv 2604.02309: generalised orthostochastic maps."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, s=2):
        m = n * s
        super().__init__(d, site, n, norm, eps, logits=(m * (m - 1) // 2,))
        self.s = s
        with torch.no_grad():
            self.br.normal_(0, 0.05)

    def mixing(self, v):
        return orthostochastic(self.coefficients(v), self.n, self.s)


def transport(t, width=1e-7):
    """A doubly stochastic map filled entry by entry within what rows and columns have left."""
    e = t.shape[-1]
    one = torch.ones(t.shape[:-2], dtype=t.dtype)
    row, column = [one] * (e + 1), [one] * (e + 1)
    X = [[None] * (e + 1) for _ in range(e + 1)]
    zero = torch.zeros_like(one)
    for i in range(e):
        for j in range(e):
            low = torch.maximum(zero, row[i] - sum(column[j + 1 :]))
            low = torch.maximum(low, column[j] - sum(row[i + 1 :]))
            high = torch.minimum(row[i], column[j])
            X[i][j] = low + (high - low).clamp_min(width) * torch.sigmoid(t[..., i, j])
            row[i] = row[i] - X[i][j]
            column[j] = column[j] - X[i][j]
        X[i][e] = row[i]
        column[e] = column[e] - row[i]
    X[e] = column
    return torch.stack([torch.stack(r, -1) for r in X], -2)


class TBP(Gated):
    """arXiv 2605.21724: a chart of the doubly stochastic maps by sequential transport."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps, logits=(n - 1, n - 1))

    def mixing(self, v):
        return transport(self.coefficients(v))


def helmert(n):
    """Orthonormal basis of the vectors that sum to zero, [n, n - 1]."""
    Z = torch.zeros(n, n - 1, dtype=torch.float64)
    for a in range(n - 1):
        Z[: a + 1, a] = 1 / math.sqrt((a + 1) * (a + 2))
        Z[a + 1, a] = -(a + 1) / math.sqrt((a + 1) * (a + 2))
    return Z


def spectral_map(values, rotations, n):
    """1/n + Z E Z^T, E = X diag(tanh(values)) W^T; X and W turn the n - 1 differences."""
    E = torch.diag_embed(torch.tanh(values))
    if rotations is not None:
        X, W = (cayley(skew(torch.tanh(r), n - 1)) for r in rotations)
        E = X @ E @ W.mT
    Z = helmert(n).to(values.dtype)
    return 1 / n + Z @ E @ Z.T


class Spectral(Gated):
    """arXiv 2603.20896: sums of one and no singular value above one; entries may be negative."""

    nodecay = Gated.nodecay + ("bu", "bv", "au", "av")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps, logits=(n - 1,))
        K = (n - 1) * (n - 2) // 2
        with torch.no_grad():
            self.br.fill_(4)
        if K:
            self.U, self.V = (nn.Parameter(torch.zeros(K, n, d)) for _ in range(2))
            self.bu, self.bv = (nn.Parameter(torch.zeros(K)) for _ in range(2))
            self.au, self.av = (nn.Parameter(torch.tensor(0.01)) for _ in range(2))

    def rotations(self, v):
        """The logits of both rotations."""
        return (self.au * self.project(self.U, v) + self.bu,
                self.av * self.project(self.V, v) + self.bv)

    def mixing(self, v):
        rotations = self.rotations(v) if self.n > 2 else None
        return spectral_map(self.coefficients(v), rotations, self.n)


class JPmHC(Streams):
    """arXiv 2602.18308: an orthogonal map, approximately, by a fixed number of Cayley steps."""

    nodecay = ("bp", "bq", "br")

    def __init__(self, d, site, n=4, norm="layernorm", eps=None, alpha=0.1, iters=2):
        super().__init__(d, site, n, norm, eps)
        self.alpha, self.iters = alpha, iters
        self.state_eps = RMS_EPS if eps is None else eps
        for name in "PQR":
            setattr(self, name, nn.Parameter(torch.empty(n, n, n, d).normal_(0, 0.02)))
            setattr(self, "b" + name.lower(), nn.Parameter(torch.zeros(n, n)))

    def orthogonal(self, logits):
        W = logits - logits.mT
        I = torch.eye(self.n, dtype=W.dtype)
        Y = I + self.alpha * W
        for _ in range(self.iters):
            Y = I + self.alpha / 2 * W @ (I + Y)
        return Y

    def maps(self, H):
        v = H.flatten(-2)
        v = v * torch.rsqrt(v.square().mean(-1, keepdim=True) + self.state_eps)
        phi = torch.stack([self.P, self.Q, self.R]).flatten(-2)
        z = torch.einsum("...a,mkja->...mkj", v, phi) + torch.stack([self.bp, self.bq, self.br])
        before, after, logits = z.unbind(-3)
        return torch.softmax(before, -1), torch.softmax(after, -2), self.orthogonal(logits)

    def read(self, H):
        before, after, M = self.maps(H)
        return self.norm((before @ H).mean(-2)), (after, M)

    def write(self, H, y, maps):
        after, M = maps
        return M @ H + after @ y[..., None, :].expand(*y.shape[:-1], self.n, self.d)


class DeferredMHC(Gated):
    """Single-pass mHC: a site decides how the next one reads. The state is (H, read weights)."""

    std = 0.02

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, iters=20):
        self.write_bias, self.hc_eps = (0, 0), 1e-6
        super().__init__(d, site, n, norm, eps, logits=(n, n))
        self.iters = iters
        self.state_eps = 1e-20 if eps is None else eps
        with torch.no_grad():
            self.bp.copy_(6 * onehot(site + 1, n) - 3)
            self.br.copy_(8 * torch.eye(n) - 8)

    def begin(self, x):
        return super().begin(x), onehot(0, self.n).to(x)

    def read(self, state):
        H, a = state
        v = self.normalised(H)
        pre, post = self.gates(v)
        M = sinkhorn_v4(self.coefficients(v), self.iters, self.hc_eps)
        return self.branch_input(a, H), (pre, M, post)

    def write(self, state, y, maps):
        pre, M, post = maps
        return mix(M, state[0]) + spread(post, y), pre

    def end(self, state):
        H, a = state
        return self.branch_input(a, H)


class Echoes(nn.Module):
    """y and its causal depthwise convolutions over 4, 8 and 12 positions, made orthogonal."""

    def __init__(self, d):
        super().__init__()
        self.C = nn.Parameter(torch.empty(24, d).normal_(0, 0.02))

    def forward(self, y):
        views = [y]
        for kernel in self.C.split([4, 8, 12]):
            w, d = kernel.shape
            padded = F.pad(y.mT, (w - 1, 0))
            f = F.conv1d(padded, kernel.T[:, None], groups=d).mT
            for e in views:
                q = (f * e).sum(-1, keepdim=True) / (e.square().sum(-1, keepdim=True) + 1e-6)
                f = f - q * e
            views.append(f)
        return torch.stack(views, -2)


class XHC(Streams):
    """arXiv 2607.14530: some streams always active, of the others those of the highest scores."""

    nodecay = Gated.nodecay

    def __init__(self, d, site, n=16, norm="rmsnorm", eps=None, active=4, fixed=2, iters=20,
                 temporal=None):
        super().__init__(d, site, n, norm, eps)
        self.active, self.fixed, self.iters = active, fixed, iters
        self.state_eps = RMS_EPS if eps is None else eps
        k, v = active, 4 if temporal or (temporal is None and site % 2) else 1
        self.P = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
        self.Q = nn.Parameter(torch.empty(k, v, k, d).normal_(0, 0.02))
        self.R = nn.Parameter(torch.empty(k, k, k, d).normal_(0, 0.02))
        self.bp = nn.Parameter(6 * torch.eye(n)[site % fixed] - 3)
        self.bq = nn.Parameter(torch.zeros(k, v))
        self.br = nn.Parameter(8 * torch.eye(k) - 8)
        self.ap, self.aq, self.ar = (nn.Parameter(torch.tensor(0.01)) for _ in range(3))
        if fixed < active:
            self.T = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
        if v > 1:
            self.Y = Echoes(d)

    def project(self, W, x):
        return torch.tensordot(x, W.flatten(-2), dims=([-1], [-1]))

    def rms(self, v):
        return v * torch.rsqrt(v.square().mean(-1, keepdim=True) + self.state_eps)

    def route(self, H):
        """Which streams are active [..., k], and their gates."""
        where = torch.arange(self.fixed).expand(*H.shape[:-2], self.fixed)
        gates = torch.ones(where.shape, dtype=H.dtype)
        if self.fixed < self.active:
            scores = torch.sigmoid(self.project(self.T, layernorm(H.flatten(-2))))
            best = scores[..., self.fixed :].topk(self.active - self.fixed, -1)
            where = torch.cat([where, best.indices + self.fixed], -1)
            gates = torch.cat([gates, best.values], -1)
        return where[..., None].expand(*where.shape, self.d), gates

    def read(self, H):
        pre = torch.sigmoid(self.ap * self.project(self.P, self.rms(H.flatten(-2))) + self.bp)
        where, gates = self.route(H)
        X = H.gather(-2, where)
        v = self.rms(X.flatten(-2))
        M = sinkhorn(self.ar * self.project(self.R, v) + self.br, self.iters)
        M = M / M.sum(-1, keepdim=True).clamp_min(1)
        B = 2 * torch.sigmoid(self.aq * self.project(self.Q, v) + self.bq)
        return self.branch_input(pre, H), (where, gates, X, M, B)

    def write(self, H, y, maps):
        where, gates, X, M, B = maps
        Y = self.Y(y) if hasattr(self, "Y") else y[..., None, :]
        return H.scatter(-2, where, M @ X + gates[..., None] * (B @ Y))


CONNECTIONS.update(
    xhc=XHC,
    ihc=IHC,
    mhc_lite=MHCLite,
    krom=Krom,
    go_mhc=GoMHC,
    tbp=TBP,
    spectral=Spectral,
    jpmhc=JPmHC,
    mhc_deferred=DeferredMHC,
)
