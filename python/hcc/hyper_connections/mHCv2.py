"""Manifold-constrained hyper-connections whose streams stand before the features, on compiled kernels."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

import torch
from torch import Tensor, nn

from . import _parts
from ._folded import initial_functions
from ._manifold import ManifoldSite
from ._sinkhorn import log_domain_sinkhorn_knopps, sinkhorn_knopps
from ._site import Residual, RMSNorm, add
from .hyper_connections import first_alpha

__all__ = [
    "AttentionPoolReduceStream", "ManifoldConstrainedHyperConnections", "RMSNorm", "Residual", "StreamEmbed", "add",
    "get_expand_reduce_stream_functions", "get_init_and_expand_reduce_stream_functions", "log_domain_sinkhorn_knopps",
    "mHC", "sinkhorn_knopps"
]


class ExpandStreams(nn.Module):
    """[..., d] `num_streams` times, [..., s, d]."""

    def __init__(self, num_streams: int):
        super().__init__()
        self.num_streams = num_streams

    def forward(self, residuals: Tensor) -> Tensor:
        return residuals.unsqueeze(-2).expand(*residuals.shape[:-1], self.num_streams, -1).contiguous()

    def extra_repr(self) -> str:
        return f"{self.num_streams}"


class ReduceStreams(nn.Module):
    """The sum over the streams of [..., s, d]."""

    def forward(self, residuals: Tensor) -> Tensor:
        return residuals.sum(-2)


class StreamEmbed(nn.Module):
    """Adds a learned vector to each stream; with `expand_to_streams` of one stream makes all first."""

    def __init__(self, num_streams: int, dim: int, expand_to_streams: bool = False):
        super().__init__()
        self.num_streams = num_streams
        self.expand_to_streams = expand_to_streams
        self.stream_embed = nn.Parameter(torch.zeros(num_streams, dim))

    def forward(self, residuals: Tensor) -> Tensor:
        return (residuals.unsqueeze(-2) if self.expand_to_streams else residuals) + self.stream_embed


class AttentionPoolReduceStream(nn.Module):
    """A sum over the streams in each feature, weighted by a softmax of what a matrix makes of them."""

    def __init__(self, dim: int):
        super().__init__()
        self.to_attn_logits = nn.Linear(dim, dim, bias=False)
        self.to_attn_logits.weight.data.copy_(torch.eye(dim))

    def forward(self, residuals: Tensor) -> Tensor:
        return (residuals * self.to_attn_logits(residuals).softmax(dim=-2)).sum(-2)


def get_expand_reduce_stream_functions(num_streams: int, add_stream_embed: bool = False,
                                       add_attn_pool_reduce_stream: bool = False, dim: Optional[int] = None,
                                       disable: bool = False) -> tuple[nn.Module, nn.Module]:
    """Modules that make streams and that make one of them again."""
    if disable:
        return nn.Identity(), nn.Identity()
    if add_stream_embed or add_attn_pool_reduce_stream:
        assert dim is not None, ('`dim` must be passed into get_init_and_expand_reduce_stream_functions for returning '
                                 'an expansion function with stream embeddings added')
    expand = StreamEmbed(num_streams, dim, expand_to_streams=True) if add_stream_embed else ExpandStreams(num_streams)
    return expand, AttentionPoolReduceStream(dim) if add_attn_pool_reduce_stream else ReduceStreams()


def get_init_and_expand_reduce_stream_functions(num_streams: int, num_fracs: int = 1, dim: Optional[int] = None,
                                                add_stream_embed: bool = False,
                                                add_attn_pool_reduce_stream: bool = False,
                                                disable: Optional[bool] = None, sinkhorn_iters: int = 20,
                                                use_triton_sinkhorn: bool = False, **kwargs: Any) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that makes one of them again."""
    disable = num_streams == 1 and num_fracs == 1 if disable is None else disable
    ends = get_expand_reduce_stream_functions(num_streams, add_stream_embed=add_stream_embed,
                                              add_attn_pool_reduce_stream=add_attn_pool_reduce_stream, dim=dim,
                                              disable=disable)
    return initial_functions(ManifoldConstrainedHyperConnections, Residual, num_streams, disable, dim, ends,
                             num_fracs=num_fracs, sinkhorn_iters=sinkhorn_iters,
                             use_triton_sinkhorn=use_triton_sinkhorn, **kwargs)


class ManifoldConstrainedHyperConnections(ManifoldSite):
    """A site whose mixing of all fractions of all streams is doubly stochastic. Streams are [..., s, dim].

    mix_streams_before_norm: a learned map of the streams before the norm that weights are made of.
    use_triton_sinkhorn: taken for the package's sake; the scaling is compiled either way.
    The other arguments are those of the class with folded streams.
    """

    _logit_axes = 3
    _bare_axes = 3

    def __init__(self, num_residual_streams: int, *, dim: int, branch: Optional[nn.Module] = None,
                 layer_index: Optional[int] = None, dropout: float = 0.,
                 residual_transform: Optional[nn.Module] = None, add_branch_out_to_residual: bool = True,
                 num_input_views: int = 1, depth_residual_fn: Callable[[Tensor, Tensor], Tensor] = add,
                 num_fracs: int = 1, sinkhorn_iters: int = 20, log_domain_sinkhorn: bool = False,
                 residual_mix_constraint_fn: Optional[Callable[[Tensor], Tensor]] = None,
                 forward_method_names: tuple[str, ...] = (), num_dynamic_alpha_proposals: int = 1,
                 use_triton_sinkhorn: bool = False, mix_streams_before_norm: bool = False):
        super().__init__()
        self.branch = branch
        self.maybe_mix_streams = None
        if mix_streams_before_norm:
            self.maybe_mix_streams = nn.Conv2d(num_residual_streams, num_residual_streams, 1, bias=False)
            nn.init.dirac_(self.maybe_mix_streams.weight)
        sources, reads = self._prepare(num_residual_streams, dim, num_fracs, num_input_views,
                                       num_dynamic_alpha_proposals)
        dim //= num_fracs
        self.static_alpha = nn.Parameter(first_alpha(sources, reads, layer_index, num_residual_streams))
        self.dynamic_alpha_fn = nn.Parameter(torch.zeros(num_dynamic_alpha_proposals, dim, sources + reads))
        self.pre_branch_scale = nn.Parameter(torch.ones(1) * 1e-2)
        self.residual_scale = nn.Parameter(torch.ones(1) * 1e-2)
        self.add_branch_out_to_residual = add_branch_out_to_residual
        if add_branch_out_to_residual:
            self.static_beta = nn.Parameter(torch.ones(num_residual_streams, num_fracs, 1))
            self.dynamic_beta_fn = nn.Parameter(torch.zeros(dim, num_fracs))
            self.h_post_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self._finish(sinkhorn_iters, log_domain_sinkhorn, residual_mix_constraint_fn, dropout, residual_transform,
                     depth_residual_fn, forward_method_names)

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        n, fracs = self.num_residual_streams, self.num_fracs
        log, iters = self._scaling()
        options = self._options("sources_last_log" if log else "sources_last", iters)
        premix = str(self.maybe_mix_streams is not None).lower()
        call = f"manifold_v2(n = {n}, fracs = {fracs}, premix = {premix}, {options})"
        return _parts.Connection("manifold_v2", call, _parts.size(residuals, -1), apart=False)

    def _named(self) -> Mapping[str, Tensor]:
        named = dict(super()._named())
        if self.maybe_mix_streams is not None:
            named["streams"] = self.maybe_mix_streams.weight
        return named


mHC = ManifoldConstrainedHyperConnections

ManifoldConstrainedHyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
ManifoldConstrainedHyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(
    get_init_and_expand_reduce_stream_functions)
