"""Connections: how a branch's input is read from the state and its output written back.

A connection is a module with four verbs, the same as in the language:

    begin(x)           x [..., d] -> state         once, before the first site
    read(H)            state -> (x, maps)          x includes the norm the branch's input gets
    write(H, y, maps)  state, branch output -> state
    end(H)             state -> x [..., d]         once, after the last site, includes the final norm

`...` is any batch shape (samples, positions).  States of several streams are [..., n, d].
Mixing maps are stored (destination, source) throughout: H'[k] = sum_j M[k, j] H[j].
A parameter is named exactly as in the `.hc` definition; `nodecay` lists those without weight decay.
"""

from __future__ import annotations

import inspect

import torch
from torch import nn

RMS_EPS = 1e-6
LAYER_EPS = 1e-5


def rmsnorm(x, eps=RMS_EPS):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


def layernorm(x, eps=LAYER_EPS):
    x = x - x.mean(-1, keepdim=True)
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


NORMS = {"rmsnorm": rmsnorm, "layernorm": layernorm}


def sinkhorn(logits, iters=20):
    """Doubly stochastic scaling of logits [..., destination, source], the mHC paper's order.

    Each iteration divides every source's column, then every destination's row, so the weights
    that enter a destination sum to one exactly.  Only the two scaling vectors are carried.
    The maximum is constant along each line that is normalised first, hence without influence on
    the value or on the gradient.
    """
    K = torch.exp(logits - logits.detach().amax(-2, keepdim=True))
    u = torch.ones_like(K[..., :, 0])  # by destination
    v = torch.ones_like(K[..., 0, :])  # by source
    for _ in range(iters):
        v = 1 / (u[..., :, None] * K).sum(-2)
        u = 1 / (K * v[..., None, :]).sum(-1)
    return u[..., :, None] * K * v[..., None, :]


def sinkhorn_v4(logits, iters=20, eps=1e-6):
    """DeepSeek-V4's arithmetic, on logits [..., destination, source].

    A softmax over destinations, then eps on every entry once and in every divisor.
    """
    M = torch.softmax(logits, -2) + eps
    M = M / (M.sum(-1, keepdim=True) + eps)
    for _ in range(iters - 1):
        M = M / (M.sum(-2, keepdim=True) + eps)
        M = M / (M.sum(-1, keepdim=True) + eps)
    return M


def mix(M, H):
    """sum_j M[k, j] H[j] for M [n, n] or [..., n, n]."""
    return torch.matmul(M, H)


def spread(b, y):
    """b[k] y: one branch output to every stream."""
    return b[..., :, None] * y[..., None, :]


def onehot(i, n):
    return torch.eye(n)[i % n].clone()


class Connection(nn.Module):
    """Common to all: the norm, the site's index, the list of parameters without decay."""

    nodecay: tuple[str, ...] = ()

    def __init__(self, d, site, norm="rmsnorm", eps=None):
        super().__init__()
        self.d, self.site = d, site
        f = NORMS[norm]
        self.norm = f if eps is None else (lambda x: f(x, eps))


class Residual(Connection):
    """Pre-norm residual: h + F(norm(h))."""

    def begin(self, x):
        return x

    def read(self, h):
        return self.norm(h), None

    def write(self, h, y, maps):
        return h + y

    def end(self, h):
        return self.norm(h)


class PostNorm(Connection):
    """The original residual: norm(h + F(h)), no final norm."""

    def begin(self, x):
        return x

    def read(self, h):
        return h, None

    def write(self, h, y, maps):
        return self.norm(h + y)

    def end(self, h):
        return h


class Streams(Connection):
    """n copies of the embedding at the start, their sum and one norm at the end."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, norm, eps)
        self.n = n

    def begin(self, x):
        return x[..., None, :].expand(*x.shape[:-1], self.n, x.shape[-1])

    def end(self, H):
        return self.norm(H.sum(-2))

    def branch_input(self, a, H):
        return self.norm((a[..., :, None] * H).sum(-2))

    def maps(self, H):
        """Read weights [..., n], mixing map [..., destination, source], write weights [..., n]."""
        raise NotImplementedError

    def read(self, H):
        a, M, b = self.maps(H)
        return self.branch_input(a, H), (M, b)

    def write(self, H, y, maps):
        M, b = maps
        return mix(M, H) + spread(b, y)


class SHC(Streams):
    """Static hyper-connections (arXiv 2409.19606)."""

    nodecay = ("Am", "Ar", "B")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps)
        self.Am = nn.Parameter(onehot(site, n))
        self.Ar = nn.Parameter(torch.eye(n))
        self.B = nn.Parameter(torch.ones(n))

    def maps(self, H):
        return self.Am, self.Ar, self.B


class DHC(SHC):
    """Dynamic hyper-connections: what concerns source j depends on stream j alone.

    The write weight of stream k depends on stream k.
    """

    nodecay = SHC.nodecay + ("sa", "sb")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps)
        self.Wb = nn.Parameter(torch.zeros(d))
        self.Wm = nn.Parameter(torch.zeros(d))
        self.Wr = nn.Parameter(torch.zeros(n, d))  # (destination, feature)
        self.sa = nn.Parameter(torch.tensor(0.01))
        self.sb = nn.Parameter(torch.tensor(0.01))

    def maps(self, H):
        N = self.norm(H)
        am = self.Am + self.sa * torch.tanh(N @ self.Wm)
        by_source = torch.tanh(N @ self.Wr.T)  # [..., source, destination]
        ar = self.Ar + self.sa * by_source.transpose(-1, -2)
        b = self.B + self.sb * torch.tanh(N @ self.Wb)
        return am, ar, b


class Frac(Connection):
    """Frac-connections (arXiv 2503.14125): one state of width d in m fractions."""

    nodecay = ("Y", "A", "B", "sg", "sb")

    def __init__(self, d, site, m=4, dynamic=True, norm="rmsnorm", eps=None):
        super().__init__(d, site, norm, eps)
        if d % m:
            raise ValueError(f"width {d} does not split into {m} fractions")
        self.m, self.dynamic = m, dynamic
        self.Y = nn.Parameter(torch.eye(m))  # (destination, source): what the branch reads
        self.A = nn.Parameter(torch.eye(m))  # (destination, source): what is carried on
        self.B = nn.Parameter(torch.ones(m))
        if dynamic:
            self.Wy = nn.Parameter(torch.zeros(m, d // m))  # (destination, feature)
            self.Wa = nn.Parameter(torch.zeros(m, d // m))
            self.Wb = nn.Parameter(torch.zeros(d // m))
            self.sg = nn.Parameter(torch.tensor(0.01))
            self.sb = nn.Parameter(torch.tensor(0.01))

    def split(self, x):
        return x.unflatten(-1, (self.m, self.d // self.m))

    def begin(self, x):
        return self.split(x)

    def read(self, H):
        Y, A, B = self.Y, self.A, self.B
        if self.dynamic:
            N = self.norm(H)  # over one fraction
            Y = Y + self.sg * torch.tanh(N @ self.Wy.T).transpose(-1, -2)
            A = A + self.sg * torch.tanh(N @ self.Wa.T).transpose(-1, -2)
            B = B + self.sb * torch.tanh(N @ self.Wb)
        return self.norm(mix(Y, H).flatten(-2)), (A, B)

    def write(self, H, y, maps):
        A, B = maps
        return mix(A, H) + B[..., :, None] * self.split(y)

    def end(self, H):
        return self.norm(H.flatten(-2))


class MHC(Streams):
    """Manifold-constrained hyper-connections (arXiv 2512.24880, equation 9).

    `convention="v4"` is DeepSeek-V4's arithmetic: eps on the read weights, softmax first and eps
    inside the normalisation.  `head=True` adds its learned collapse, used by the last site's `end`.
    """

    nodecay = ("bp", "bq", "br", "ap", "aq", "ar", "be", "ae")

    def __init__(
        self, d, site, n=4, iters=20, norm="rmsnorm", eps=None, convention="paper", head=False
    ):
        super().__init__(d, site, n, norm, eps)
        if convention not in ("paper", "v4"):
            raise ValueError(f"unknown convention {convention!r}")
        self.iters, self.convention, self.head = iters, convention, head
        self.state_eps = RMS_EPS if eps is None else eps
        self.hc_eps = 1e-6
        self.P = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
        self.Q = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
        self.R = nn.Parameter(torch.empty(n, n, n, d).normal_(0, 0.02))
        self.bp = nn.Parameter(6 * onehot(site, n) - 3)
        self.bq = nn.Parameter(torch.zeros(n))
        self.br = nn.Parameter(8 * torch.eye(n) - 8)
        self.ap = nn.Parameter(torch.tensor(0.01))
        self.aq = nn.Parameter(torch.tensor(0.01))
        self.ar = nn.Parameter(torch.tensor(0.01))
        if head:
            self.Pe = nn.Parameter(torch.empty(n, n, d).normal_(0, 0.02))
            self.be = nn.Parameter(torch.zeros(n))
            self.ae = nn.Parameter(torch.tensor(0.01))

    def inverse_rms(self, flat):
        return torch.rsqrt(flat.square().mean(-1, keepdim=True) + self.state_eps)

    def maps(self, H):
        n = self.n
        flat = H.flatten(-2)
        phi = torch.cat([self.P.flatten(1), self.Q.flatten(1), self.R.flatten(0, 1).flatten(1)])
        z = (flat @ phi.T) * self.inverse_rms(flat)  # the norm after the projection
        zp, zq, zr = z.split([n, n, n * n], -1)
        pre = torch.sigmoid(self.ap * zp + self.bp)
        post = 2 * torch.sigmoid(self.aq * zq + self.bq)
        logits = self.ar * zr.unflatten(-1, (n, n)) + self.br
        if self.convention == "v4":
            return pre + self.hc_eps, sinkhorn_v4(logits, self.iters, self.hc_eps), post
        return pre, sinkhorn(logits, self.iters), post

    def end(self, H):
        if not self.head:
            return super().end(H)
        flat = H.flatten(-2)
        z = (flat @ self.Pe.flatten(1).T) * self.inverse_rms(flat)
        return self.branch_input(torch.sigmoid(self.ae * z + self.be) + self.hc_eps, H)


CONNECTIONS = {
    "residual": Residual,
    "projection": Residual,  # in a trunk of one width; where it changes: tests/diff/package.py
    "postnorm": PostNorm,
    "shc": SHC,
    "dhc": DHC,
    "frac": Frac,
    "mhc": MHC,
}


def make_connection(wiring, d, site, n=4, norm="own", eps=None, sites=None, **options):
    """The connection of that name, given what its class takes of all this.

    `n` is the number of streams, or of fractions for frac; norm "own" is the connection's default;
    `sites` is how many sites the trunk has.
    """
    cls = CONNECTIONS[wiring]
    known = {"n": n, "norm": norm, "eps": eps, "sites": sites}
    if norm == "own":
        del known["norm"]
    takes = set()
    for base in cls.__mro__:
        if "__init__" in vars(base):
            own = inspect.signature(base.__init__).parameters
            takes |= own.keys()
            if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
                break
    given = {name: value for name, value in known.items() if name in takes}
    if cls is Frac:
        given["m"] = n
    return cls(d, site, **given | options)
