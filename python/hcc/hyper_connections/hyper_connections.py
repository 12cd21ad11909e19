"""Hyper-connections (arXiv:2409.19606) and frac-connections (arXiv:2503.14125), on compiled kernels."""

from __future__ import annotations

from random import randrange
from typing import Any, Callable, Mapping, Optional

import torch
from torch import Tensor, nn

from . import _parts
from ._fallback import fall_back
from ._folded import (AttentionPoolReduceStream, StreamEmbed, get_expand_reduce_stream_functions,
                      initial_functions)
from ._site import Residual, RMSNorm, Site, add

__all__ = [
    "AttentionPoolReduceStream", "HyperConnections", "RMSNorm", "Residual", "StreamEmbed", "add",
    "get_expand_reduce_stream_functions", "get_init_and_expand_reduce_stream_functions"
]


def first_alpha(streams: int, reads: int, layer_index: Optional[int], of: int) -> Tensor:
    """Every destination that is read takes one source, drawn where no layer says which; every other
    one its own."""
    drawn = randrange(of)  # also where it is not needed, so that a seed leads to what it does there
    chosen = (drawn if layer_index is None else layer_index) % of
    read = torch.zeros(streams, reads)
    read[chosen, :] = 1.
    return torch.cat((read, torch.eye(streams)), dim=1)


def get_init_and_expand_reduce_stream_functions(num_streams: int, num_fracs: int = 1, dim: Optional[int] = None,
                                                add_stream_embed: bool = False,
                                                disable: Optional[bool] = None) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that sums them up."""
    disable = num_streams == 1 and num_fracs == 1 if disable is None else disable
    ends = get_expand_reduce_stream_functions(num_streams, add_stream_embed=add_stream_embed, dim=dim, disable=disable)
    return initial_functions(HyperConnections, Residual, num_streams, disable, dim, ends, num_fracs=num_fracs)


class HyperConnections(Site):
    """A site of dynamic hyper-connections around a branch.

    Streams are folded into the samples, [(b s), ..., dim]; `channel_first`: [(b s), dim, ...].

    num_input_views: the branch gets so many combinations of the streams, side by side in front.
    add_branch_out_to_residual: False leaves the write out: what the branch gives is what comes out.
    depth_residual_fn: called with what of the branch's result lands in the streams, and the mixed
    streams. Modules of `residuals` are compiled; any other function runs in Python.
    num_fracs: so many fractions of a stream take the streams' part.
    """

    def __init__(self, num_residual_streams: int, *, dim: int, branch: Optional[nn.Module] = None,
                 layer_index: Optional[int] = None, tanh: bool = True, channel_first: bool = False, dropout: float = 0.,
                 add_branch_out_to_residual: bool = True, num_input_views: int = 1,
                 depth_residual_fn: Callable[[Tensor, Tensor], Tensor] = add, num_fracs: int = 1):
        super().__init__()
        self.branch = branch
        self.act = nn.Tanh() if tanh else nn.Identity()
        assert num_fracs >= 1
        self.num_fracs = num_fracs
        self.has_fracs = num_fracs > 1
        assert dim % num_fracs == 0, f'feature dimension ({dim}) must be divisible by the `num_fracs` ({num_fracs})'
        dim //= num_fracs
        self.norm = RMSNorm(dim)
        assert num_residual_streams > 0, '`num_residual_streams` must be greater than 0'
        self.num_residual_streams = num_residual_streams
        sources, reads = num_residual_streams * num_fracs, num_input_views * num_fracs
        assert num_input_views >= 1
        self.num_input_views = num_input_views
        self.static_alpha = nn.Parameter(first_alpha(sources, reads, layer_index, num_residual_streams))
        self.dynamic_alpha_fn = nn.Parameter(torch.zeros(dim, sources + reads))
        self.dynamic_alpha_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.add_branch_out_to_residual = add_branch_out_to_residual
        if add_branch_out_to_residual:
            self.static_beta = nn.Parameter(torch.ones(sources))
            self.dynamic_beta_fn = nn.Parameter(torch.zeros((dim,) if num_fracs == 1 else (dim, num_fracs)))
            self.dynamic_beta_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.dropout = nn.Dropout(dropout)
        self.channel_first = channel_first
        self.depth_residual_fn = depth_residual_fn

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        n, views, act = self.num_residual_streams, self.num_input_views, "tanh" if isinstance(self.act,
                                                                                              nn.Tanh) else "none"
        depth = str(self.add_branch_out_to_residual).lower()
        if self.channel_first:
            if self.has_fracs:
                raise NotImplementedError("fractions with channel_first: the package's write fails on them")
            area = _parts.area(residuals)
            call = f"pictures(n = {n}, area = {area}, views = {views}, act = {act}, depth = {depth})"
            return _parts.Connection("channel_first", call, _parts.size(residuals, 1) * area, views=views, by_position=False)
        call = f"hyper_connections(n = {n}, fracs = {self.num_fracs}, views = {views}, act = {act}, depth = {depth})"
        return _parts.Connection("hyper_connections", call, _parts.size(residuals, -1), views=views)

    def _named(self) -> Mapping[str, Tensor]:
        named: dict[str, Any] = dict(self._parameters)
        named["gamma"] = self.norm.gamma
        if self.channel_first:  # pictures have the destination first
            named["dynamic_alpha_fn"] = self.dynamic_alpha_fn.t()
        return named

    # --- layouts ------------------------------------------------------------------------------------

    def _streams(self, residuals: Tensor) -> Tensor:
        return residuals.flatten(1) if self.channel_first else super()._streams(residuals)

    def _of_streams(self, streams: Tensor, like: Tensor) -> Tensor:
        return streams.view(like.shape) if self.channel_first else super()._of_streams(streams, like)

    def _branch_input(self, x: Tensor, like: Tensor) -> Tensor:
        x = x.unflatten(1, like.shape[1:]) if self.channel_first else super()._branch_input(x, like)
        if self.num_input_views == 1:
            return x
        return x.unflatten(0, (-1, self.num_input_views)).transpose(0, 1)

    def _branch_output(self, y: Tensor) -> Tensor:
        if not self.channel_first:
            return super()._branch_output(y)
        # The package's depth_connection splits fractions off the last axis, which holds places here,
        # and so sums the branch's result over it. Weights were trained with that.
        fall_back("channel_first of HyperConnections")
        return y.sum(-1, keepdim=True).expand(y.shape).flatten(1)

    def _coefficients(self, beta: Tensor, like: Tensor) -> Tensor:
        if not self.channel_first:
            return beta.squeeze(1) if like.dim() == 2 else beta
        return beta.unflatten(-1, like.shape[2:]).movedim(1, -1).unsqueeze(-2).unsqueeze(-1)

    def _of_coefficients(self, beta: Tensor) -> Tensor:
        if not self.channel_first:
            return beta.unsqueeze(1) if beta.dim() == 4 else beta
        return beta.squeeze(-1).squeeze(-2).movedim(-1, 1).flatten(2)


HyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
HyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(get_init_and_expand_reduce_stream_functions)
