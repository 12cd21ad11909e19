"""Hyper-connections of pictures, [(b s), dim, height, width], on compiled kernels."""

from __future__ import annotations

from typing import Any, Mapping, Optional

import torch
from torch import Tensor, nn

from . import _folded, _parts
from ._site import Residual, Site
from .hyper_connections import first_alpha

__all__ = [
    "HyperConnections", "RMSNorm", "Residual", "get_expand_reduce_stream_functions",
    "get_init_and_expand_reduce_stream_functions"
]


def get_expand_reduce_stream_functions(num_streams: int, disable: bool = False) -> tuple[nn.Module, nn.Module]:
    """Modules that make streams and that sum them up."""
    return _folded.get_expand_reduce_stream_functions(num_streams, disable=disable)


def get_init_and_expand_reduce_stream_functions(num_streams: int, disable: Optional[bool] = None) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that sums them up."""
    disable = num_streams == 1 if disable is None else disable
    return _folded.initial_functions(HyperConnections, Residual, num_streams, disable, None,
                                     get_expand_reduce_stream_functions(num_streams, disable=disable))


class RMSNorm(nn.Module):
    """The norm of features that stand in front; in a site it is part of the compiled read."""

    def __init__(self, dim: int):
        super().__init__()
        self.scale = dim**0.5
        self.gamma = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=1) * self.scale * (self.gamma + 1)


class _Squeezed(nn.Module):
    """Stands where the package has a rearrangement, so that the projection before it is number 0."""

    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze(1)


class HyperConnections(Site):
    """A site of dynamic hyper-connections around a branch on pictures; the projections of its weights
    are convolutions of one place."""

    def __init__(self, num_residual_streams: int, *, dim: int, branch: Optional[nn.Module] = None,
                 layer_index: Optional[int] = None, tanh: bool = True, channel_first: bool = True, dropout: float = 0.):
        super().__init__()
        self.branch = branch
        self.act = nn.Tanh() if tanh else nn.Identity()
        self.norm = RMSNorm(dim)
        assert num_residual_streams > 0, '`num_residual_streams` must be greater than 0'
        n = self.num_residual_streams = num_residual_streams
        alpha = first_alpha(n, 1, layer_index, n)
        self.static_beta = nn.Parameter(torch.ones(n))
        self.static_alpha = nn.Parameter(alpha)
        self.dynamic_alpha_fn = nn.Conv2d(dim, n + 1, 1, bias=False)
        self.dynamic_beta_fn = nn.Sequential(nn.Conv2d(dim, 1, 1, bias=False), _Squeezed())
        nn.init.zeros_(self.dynamic_alpha_fn.weight)
        nn.init.zeros_(self.dynamic_beta_fn[0].weight)
        self.dynamic_alpha_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.dynamic_beta_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.dropout = nn.Dropout(dropout)

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        area = _parts.area(residuals)
        act = "tanh" if isinstance(self.act, nn.Tanh) else "none"
        return _parts.Connection("channel_first", f"pictures(n = {self.num_residual_streams}, area = {area}, act = {act})",
                                 _parts.size(residuals, 1) * area, by_position=False)

    def _named(self) -> Mapping[str, Tensor]:
        named: dict[str, Any] = dict(self._parameters)
        return named | {"gamma": self.norm.gamma, "dynamic_alpha_fn": self.dynamic_alpha_fn.weight,
                        "dynamic_beta_fn": self.dynamic_beta_fn[0].weight}

    def _streams(self, residuals: Tensor) -> Tensor:
        return residuals.flatten(1)

    def _of_streams(self, streams: Tensor, like: Tensor) -> Tensor:
        return streams.view(like.shape)

    def _branch_input(self, x: Tensor, like: Tensor) -> Tensor:
        return x.unflatten(1, like.shape[1:])

    def _branch_output(self, y: Tensor) -> Tensor:
        return y.flatten(1)

    def _coefficients(self, beta: Tensor, like: Tensor) -> Tensor:
        return beta.unflatten(-1, like.shape[2:])

    def _of_coefficients(self, beta: Tensor) -> Tensor:
        return beta.flatten(2)


HyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
HyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(get_init_and_expand_reduce_stream_functions)
