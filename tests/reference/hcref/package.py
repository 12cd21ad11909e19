"""The connections of the hyper-connections package, virtual width, parallel groups, harmonised.

Transcribed from the equations; the package itself is compared with in tests/diff. The verbs are
those of `connections.Connection`. Where the package has fractions, views or several branches, there
is one of each here: what the character model has.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .connections import CONNECTIONS, DHC, SHC, Connection, Streams, mix, onehot, spread


class UnitNorm(nn.Module):
    """Vectors of length sqrt(d), with a gain that begins at one (`l2norm`)."""

    nodecay = ("gamma",)

    def __init__(self, d):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(d))

    def forward(self, x):
        return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * (1 + self.gamma)


class Parallel(SHC):
    """Groups of n branches that read the same sum, as matrices (arXiv 2409.19606, 3.3)."""

    def __init__(self, d, site, n=2, norm="rmsnorm", eps=None, exact=True):
        super().__init__(d, site, n, norm, eps)
        i = site % n
        with torch.no_grad():
            self.B.copy_(onehot(i, n))
            if i == 0:
                self.Am.fill_(1)
                self.Ar.fill_(1)
            else:
                self.Am.copy_(onehot(i, n))
                self.Ar.copy_(torch.eye(n))
                if exact:
                    self.Ar[i, i] = 0

    def begin(self, x):
        return F.pad(x[..., None, :], (0, 0, 0, self.n - 1))


class HyperConnections(Streams):
    """The class of that name: one table for the read and one for what is carried on."""

    nodecay = ("Am", "Ar", "B", "sa", "sb")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps)
        self.N = UnitNorm(d)
        self.Am = nn.Parameter(onehot(site, n).view(1, 1, 1, n))  # view, out, in, source
        self.Ar = nn.Parameter(torch.eye(n).view(1, n, 1, n))  # out, destination, in, source
        self.B = nn.Parameter(torch.ones(n, 1))
        self.Wm = nn.Parameter(torch.zeros(1, 1, d))
        self.Wr = nn.Parameter(torch.zeros(1, n, d))
        self.Wb = nn.Parameter(torch.zeros(1, d))
        self.sa = nn.Parameter(torch.tensor(0.01))
        self.sb = nn.Parameter(torch.tensor(0.01))

    def read(self, H):
        N = self.N(H)
        W = torch.cat([self.Wm[0], self.Wr[0]])
        static = torch.cat([self.Am.flatten(0, 2), self.Ar[0, :, 0]])
        alpha = static + self.sa * torch.tanh(torch.einsum("...jc,kc->...kj", N, W))
        beta = self.B[:, 0] + self.sb * torch.tanh(N @ self.Wb[0])
        mixed = mix(alpha, H)
        return self.norm(mixed[..., 0, :]), (mixed[..., 1:, :], beta)

    def write(self, H, y, maps):
        mixed, beta = maps
        return mixed + spread(beta, y)


class Branches(DHC):
    """The class for several branches, around one."""

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps)
        self.N = UnitNorm(d)
        self.Am = nn.Parameter(onehot(-site, n)[None])
        self.B = nn.Parameter(torch.ones(1, n))
        self.Wm = nn.Parameter(torch.zeros(1, d))
        self.Wb = nn.Parameter(torch.zeros(1, d))

    def maps(self, H):
        N = self.N(H)
        read = self.Am[0] + self.sa * torch.tanh(N @ self.Wm[0])
        carry = self.Ar + self.sa * torch.tanh(torch.einsum("...jc,kc->...kj", N, self.Wr))
        return read, carry, self.B[0] + self.sb * torch.tanh(N @ self.Wb[0])


class Inputs(DHC):
    """The class for a second input in streams of its own; they begin as the embedding here.

    The state is (streams, the second input's)."""

    nodecay = DHC.nodecay + ("Az", "sz")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None):
        super().__init__(d, site, n, norm, eps)
        self.N, self.Z = UnitNorm(d), UnitNorm(d)
        self.Az = nn.Parameter(onehot(site, n))
        self.Wz = nn.Parameter(torch.zeros(d))
        self.sz = nn.Parameter(torch.tensor(0.01))

    def begin(self, x):
        return super().begin(x), super().begin(x)

    def read(self, state):
        H, Z = state
        N = self.N(H)
        read = self.Am + self.sa * torch.tanh(N @ self.Wm)
        carry = self.Ar + self.sa * torch.tanh(torch.einsum("...jc,kc->...kj", N, self.Wr))
        beta = self.B + self.sb * torch.tanh(N @ self.Wb)
        second = self.Az + self.sz * torch.tanh(self.Z(Z) @ self.Wz)
        return (self.branch_input(read, H), (second[..., None] * Z).sum(-2)), (carry, beta)

    def write(self, state, y, maps):
        return super().write(state[0], y, maps), state[1]

    def end(self, state):
        return super().end(state[0])


class MHCv2(Streams):
    """mHCv2: weights see one stream each, Sinkhorn's last division is by the sources' sums."""

    nodecay = ("Am", "Ar", "B", "sp", "sr", "sb")

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, iters=20):
        super().__init__(d, site, n, norm, eps)
        self.iters = iters
        self.N = UnitNorm(d)
        self.Am = nn.Parameter(onehot(site, n)[None])
        self.Ar = nn.Parameter(torch.eye(n))
        self.B = nn.Parameter(torch.ones(n, 1))
        self.Wm = nn.Parameter(torch.zeros(1, 1, d))
        self.Wr = nn.Parameter(torch.zeros(1, n, d))
        self.Wb = nn.Parameter(torch.zeros(1, d))
        self.sp, self.sr, self.sb = (nn.Parameter(torch.tensor(0.01)) for _ in range(3))

    def read(self, H):
        N = self.N(H)
        read = torch.sigmoid(self.sp * (N @ self.Wm[0, 0]) + self.Am[0])
        logits = self.sr * torch.einsum("...jc,kc->...kj", N, self.Wr[0]) + self.Ar
        M = torch.exp(logits - logits.detach().amax((-1, -2), keepdim=True))
        for _ in range(self.iters):
            M = M / M.sum(-1, keepdim=True)
            M = M / M.sum(-2, keepdim=True)
        write = 2 * torch.sigmoid(self.sb * (N @ self.Wb[0]) + self.B[:, 0])
        return self.branch_input(read, H), (M, write)

    def write(self, H, y, maps):
        M, write = maps
        return mix(M, H) + spread(write, y)


class End(nn.Module):
    """A linear map between x and slots."""

    def __init__(self, *shape):
        super().__init__()
        self.W = nn.Parameter(0.02 * torch.randn(shape))


class GHC(Connection):
    """Virtual width (arXiv 2511.11238): n slots of width d / m, m of which the branch takes."""

    nodecay = ("Y", "A", "B", "SY", "SA", "SB")

    def __init__(self, d, site, n=3, norm="rmsnorm", eps=None, m=2):
        super().__init__(d, site, norm, eps)
        self.n, self.m, e = n, m, d // m
        self.e = e
        self.Y = nn.Parameter(torch.eye(n)[:m].clone())
        self.A = nn.Parameter(torch.eye(n))
        self.B = nn.Parameter(torch.eye(m).repeat(n, 1)[:n])
        for name, shape in (("WY", (m, e)), ("WA", (n, e)), ("WB", (m, e))):
            setattr(self, name, nn.Parameter(torch.zeros(shape)))
        for name, shape in (("SY", (m, n)), ("SA", (n, n)), ("SB", (n, m))):
            setattr(self, name, nn.Parameter(torch.ones(shape)))
        if site == 0:
            self.H = End(n, e, d)

    def close(self):
        self.s = End(self.d, self.n, self.e)

    def begin(self, x):
        return torch.einsum("jac,...c->...ja", self.H.W, x)

    def read(self, H):
        N, t = self.norm(H), math.sqrt(self.e)
        Y = self.Y + self.SY * torch.tanh(N @ self.WY.T / t).transpose(-1, -2)
        A = self.A + self.SA * torch.tanh(N @ self.WA.T / t).transpose(-1, -2)
        B = self.B + self.SB * torch.tanh(N @ self.WB.T / t)
        return self.norm(mix(Y, H).flatten(-2)), (A, B)

    def write(self, H, y, maps):
        A, B = maps
        return mix(A, H) + mix(B, y.unflatten(-1, (self.m, self.e)))

    def end(self, H):
        if self.n % self.m == 0:
            groups = H.unflatten(-2, (self.n // self.m, self.m))
            size = groups.square().mean((-1, -2), keepdim=True)
            H = (groups * torch.rsqrt(size + 1e-6)).flatten(-3, -2)
        return self.norm(torch.einsum("cja,...ja->...c", self.s.W, H))


class Joined(Connection):
    """A pre-norm residual whose sum is another function of the branch's result and the stream."""

    def begin(self, x):
        return x

    def read(self, h):
        return self.norm(h), None

    def write(self, h, y, maps):
        return self.join(y, h)

    def end(self, h):
        return self.norm(h)


class Gate(nn.Module):
    def __init__(self, d, k):
        super().__init__()
        bound = (2 * d) ** -0.5
        self.W = nn.Parameter(torch.empty(k, 2, d).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.empty(k).uniform_(-bound, bound))


class Gated(Joined):
    def __init__(self, d, site, norm="rmsnorm", eps=None, fine=False):
        super().__init__(d, site, norm, eps)
        self.gate = Gate(d, d if fine else 1)

    def join(self, y, h):
        g = torch.sigmoid(F.linear(torch.cat([y, h], -1), self.gate.W.flatten(1), self.gate.b))
        return torch.lerp(y, h, g)


class Recurrent(nn.Module):
    def __init__(self, d):
        super().__init__()
        for name, shape in (("W", (3, d, d)), ("U", (3, d, d)), ("b", (3, d)), ("c", (3, d))):
            values = torch.empty(shape).uniform_(-(d**-0.5), d**-0.5)
            setattr(self, name, nn.Parameter(values))


class GRU(Joined):
    def __init__(self, d, site, norm="rmsnorm", eps=None):
        super().__init__(d, site, norm, eps)
        self.gru = Recurrent(d)

    def join(self, y, h):
        g = self.gru
        weights = g.W.flatten(0, 1), g.U.flatten(0, 1), g.b.flatten(), g.c.flatten()
        return torch.gru_cell(y.flatten(0, -2), h.flatten(0, -2), *weights).view_as(h)


class Orthogonal(Joined):
    def join(self, y, h):
        u = F.normalize(h, dim=-1)
        return h + y - (y * u).sum(-1, keepdim=True) * u


class Split(nn.Module):
    nodecay = ("a", "b")

    def __init__(self, d):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(d))
        self.b = nn.Parameter(torch.full((d,), 0.03))


class MVSplit(Joined):
    """Means over the positions up to each one, or over all."""

    def __init__(self, d, site, norm="rmsnorm", eps=None, causal=True):
        super().__init__(d, site, norm, eps)
        self.causal = causal
        self.split = Split(d)

    def mean(self, x):
        if not self.causal:
            return x.mean(-2, keepdim=True)
        count = torch.arange(1, x.shape[-2] + 1, dtype=x.dtype, device=x.device)
        return x.cumsum(-2) / count[:, None]

    def join(self, y, h):
        return h + self.split.b * (y - self.mean(y)) + self.split.a * (self.mean(y) - self.mean(h))


class Controller(nn.Module):
    """What all sites of a harmonised trunk share."""

    def __init__(self, gain=5.0, least=0.05, power=1.0):
        super().__init__()
        self.gain, self.least, self.power = gain, least, power
        self.register_buffer("s", torch.tensor(1.0))
        self.register_buffer("g", torch.tensor(1.0))
        self.largest = None

    @torch.no_grad()
    def after_step(self):
        self.g.copy_(0.95 * self.g + 0.05 * self.largest)
        scaled = self.s * (self.gain / self.g.clamp(min=1e-6)) ** self.power
        self.s.copy_(scaled.clamp(self.least, 1.0))


class Harmonised(Streams):
    """Static streams whose mixing a controller scales. The state is (streams, product of maps)."""

    Shared = Controller  # the model makes one of it

    def __init__(self, d, site, n=4, norm="rmsnorm", eps=None, sites=1):
        super().__init__(d, site, n, norm, eps)
        self.is_last = site == sites - 1
        self.p = nn.Parameter(torch.zeros(n))
        self.q = nn.Parameter(torch.zeros(n))
        self.L = nn.Parameter(0.05 * torch.randn(n, n))

    def begin(self, x):
        return super().begin(x), torch.eye(self.n, dtype=x.dtype)

    def read(self, state):
        return self.branch_input(torch.softmax(self.p, 0), state[0]), None

    def write(self, state, y, maps):
        H, product = state
        M = torch.eye(self.n, dtype=H.dtype) + self.shared().s * self.L / 20
        product = M.detach() @ product
        if self.is_last:
            size = product.abs()
            self.shared().largest = torch.maximum(size.sum(1).max(), size.sum(0).max())
        return mix(M, H) + spread(torch.softmax(self.q, 0), y), product

    def end(self, state):
        return self.norm(state[0].mean(-2))


CONNECTIONS.update(
    parallel=Parallel,
    hyper_connections=HyperConnections,
    hyper_connections_branches=Branches,
    hyper_connections_inputs=Inputs,
    mhc_v2=MHCv2,
    ghc=GHC,
    gated_residual=Gated,
    gru_residual=GRU,
    orthogonal_residual=Orthogonal,
    mv_split_residual=MVSplit,
    harmonised=Harmonised,
)
