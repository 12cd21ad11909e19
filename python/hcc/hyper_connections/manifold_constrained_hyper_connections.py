"""Manifold-constrained hyper-connections (arXiv:2512.24880) with folded streams, on compiled kernels."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional

import torch
from torch import Tensor, nn

from . import _parts
from ._folded import (AttentionPoolReduceStream, StreamEmbed, get_expand_reduce_stream_functions,
                      initial_functions)
from ._manifold import ManifoldSite
from ._sinkhorn import log_domain_sinkhorn_knopps, sinkhorn_knopps
from ._site import Residual, RMSNorm, add
from .hyper_connections import first_alpha

__all__ = [
    "AttentionPoolReduceStream", "ManifoldConstrainedHyperConnections", "RMSNorm", "Residual", "StreamEmbed", "add",
    "get_expand_reduce_stream_functions", "get_init_and_expand_reduce_stream_functions", "log_domain_sinkhorn_knopps",
    "mHC", "sinkhorn_knopps"
]


def get_init_and_expand_reduce_stream_functions(num_streams: int, num_fracs: int = 1, dim: Optional[int] = None,
                                                add_stream_embed: bool = False, disable: Optional[bool] = None,
                                                sinkhorn_iters: int = 20, **kwargs: Any) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that sums them up."""
    disable = num_streams == 1 and num_fracs == 1 if disable is None else disable
    ends = get_expand_reduce_stream_functions(num_streams, add_stream_embed=add_stream_embed, dim=dim, disable=disable)
    return initial_functions(ManifoldConstrainedHyperConnections, Residual, num_streams, disable, dim, ends,
                             num_fracs=num_fracs, sinkhorn_iters=sinkhorn_iters, **kwargs)


class ManifoldConstrainedHyperConnections(ManifoldSite):
    """A site whose mixing is doubly stochastic. Streams are folded into the samples, [(b s), ..., dim].

    residual_transform: a module that all streams go through first, as where the width changes.
    residual_mix_constraint_fn: of the logits [proposals, ..., fraction, source, destination]; it runs in
    Python, unless it is a `partial` of the functions of this module.
    forward_method_names: methods of the branch that the site has, too.
    The other arguments are those of HyperConnections. The package cannot run several input views, nor
    `channel_first`, and neither can this.
    """

    _logit_axes = 4

    def __init__(self, num_residual_streams: int, *, dim: int, branch: Optional[nn.Module] = None,
                 layer_index: Optional[int] = None, channel_first: bool = False, dropout: float = 0.,
                 residual_transform: Optional[nn.Module] = None, add_branch_out_to_residual: bool = True,
                 num_input_views: int = 1, depth_residual_fn: Callable[[Tensor, Tensor], Tensor] = add,
                 num_fracs: int = 1, sinkhorn_iters: int = 20, log_domain_sinkhorn: bool = False,
                 residual_mix_constraint_fn: Optional[Callable[[Tensor], Tensor]] = None,
                 forward_method_names: tuple[str, ...] = (), num_dynamic_alpha_proposals: int = 1):
        super().__init__()
        self.branch = branch
        sources, reads = self._prepare(num_residual_streams, dim, num_fracs, num_input_views,
                                       num_dynamic_alpha_proposals)
        dim //= num_fracs
        self.static_alpha = nn.Parameter(first_alpha(sources, reads, layer_index, num_residual_streams))
        self.dynamic_alpha_fn = nn.Parameter(torch.zeros(num_dynamic_alpha_proposals, dim, sources + reads))
        self.pre_branch_scale = nn.Parameter(torch.ones(1) * 1e-2)
        self.residual_scale = nn.Parameter(torch.ones(1) * 1e-2)
        self.add_branch_out_to_residual = add_branch_out_to_residual
        if add_branch_out_to_residual:
            self.static_beta = nn.Parameter(torch.ones(sources))
            self.dynamic_beta_fn = nn.Parameter(torch.zeros((dim,) if num_fracs == 1 else (dim, num_fracs)))
            self.h_post_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.channel_first = channel_first
        self._finish(sinkhorn_iters, log_domain_sinkhorn, residual_mix_constraint_fn, dropout, residual_transform,
                     depth_residual_fn, forward_method_names)

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        if self.channel_first:
            raise NotImplementedError("channel_first: the package's write fails on it; hyper_connections_channel_first "
                                      "has a class for pictures")
        n, fracs = self.num_residual_streams, self.num_fracs
        log, iters = self._scaling()
        name = "sources_last_log" if log else "sources_last" if fracs == 1 and iters > 0 else "oblong_sources_last"
        call = f"manifold(n = {n}, fracs = {fracs}, {self._options(name, iters)})"
        return _parts.Connection("manifold", call, _parts.size(residuals, -1))


mHC = ManifoldConstrainedHyperConnections

ManifoldConstrainedHyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
ManifoldConstrainedHyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(
    get_init_and_expand_reduce_stream_functions)
