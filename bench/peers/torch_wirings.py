"""The peers' wirings: what stands between the branches of a PyTorch network.

dhc, mhc and frac are the classes of the hyper-connections package, as people train with them. The
package has no static hyper-connections: shc is a plain transcription of them.
"""

from __future__ import annotations

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


class Static(nn.Module):
    """Static hyper-connections on [..., n, d]; maps are (destination, source)."""

    def __init__(self, branch, n, layer_index):
        super().__init__()
        self.branch = branch
        self.read = nn.Parameter(torch.eye(n)[layer_index % n].clone())
        self.mix = nn.Parameter(torch.eye(n))
        self.write = nn.Parameter(torch.ones(n))

    def forward(self, H):
        y = self.branch(torch.einsum("i,...ic->...c", self.read, H))
        return torch.matmul(self.mix, H) + self.write[:, None] * y[..., None, :]


class Repeat(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        return x[..., None, :].expand(*x.shape[:-1], self.n, x.shape[-1])


class Sum(nn.Module):
    def forward(self, H):
        return H.sum(-2)


def make(wiring, n, d):
    """(site(layer_index, branch), expand, reduce, shape of the state of `samples` x `positions`)."""
    if wiring == "residual":
        plain = lambda k, branch: Residual(branch)  # noqa: E731
        return plain, nn.Identity(), nn.Identity(), lambda b, t: (b, t, d)
    if wiring == "shc":
        site = lambda k, branch: Static(branch, n, k)  # noqa: E731
        return site, Repeat(n), Sum(), lambda b, t: (b, t, n, d)
    from hyper_connections import HyperConnections, ManifoldConstrainedHyperConnections

    classes = {
        "dhc": (HyperConnections, n, 1),
        "mhc": (ManifoldConstrainedHyperConnections, n, 1),
        "frac": (HyperConnections, 1, n),
    }
    kind, streams, fractions = classes[wiring]
    init, expand, reduce = kind.get_init_and_expand_reduce_stream_functions(
        streams, num_fracs=fractions, dim=d, disable=False
    )
    package = lambda k, branch: init(branch=branch, layer_index=k)  # noqa: E731
    return package, expand, reduce, lambda b, t: (streams * b, t, d)
