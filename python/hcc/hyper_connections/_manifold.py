"""What the two classes of manifold-constrained hyper-connections have in common."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Mapping, Optional

from torch import Tensor, nn

from . import _sinkhorn
from ._site import RMSNorm, Site


class ManifoldSite(Site):
    _logit_axes: int  #: of a position's logits, of which the first numbers proposals: it comes first of all
    num_residual_streams: int
    num_fracs: int
    num_input_views: int
    num_dynamic_alpha_proposals: int

    def _prepare(self, streams: int, dim: int, fracs: int, views: int, proposals: int) -> tuple[int, int]:
        """Checks what both take, and gives how many sources there are and how many of them are read."""
        assert fracs >= 1
        assert dim % fracs == 0, f'feature dimension ({dim}) must be divisible by the `num_fracs` ({fracs})'
        assert streams > 0, '`num_residual_streams` must be greater than 0'
        assert views >= 1
        self.num_fracs = fracs
        self.has_fracs = fracs > 1
        self.num_residual_streams = streams
        self.num_input_views = views
        self.has_dynamic_alpha_proposals = proposals > 1
        self.num_dynamic_alpha_proposals = proposals
        self.norm = RMSNorm(dim // fracs)
        return streams * fracs, views * fracs

    def _finish(self, iters: int, log_domain: bool, constraint: Optional[Callable[[Tensor], Tensor]], dropout: float,
                transform: Optional[nn.Module], depth_residual_fn: Callable[[Tensor, Tensor], Tensor],
                forwarded: tuple[str, ...]) -> None:
        own = _sinkhorn.log_domain_sinkhorn_knopps if log_domain else _sinkhorn.sinkhorn_knopps
        self.residual_mix_constraint_fn = partial(own, iters=iters) if constraint is None else constraint
        self.dropout = nn.Dropout(dropout)
        self.residual_transform = nn.Identity() if transform is None else transform
        self.depth_residual_fn = depth_residual_fn
        self.forward_method_names = forwarded
        for name in forwarded:
            assert not hasattr(self, name)
            setattr(self, name, getattr(self.branch, name))

    def _scaling(self) -> tuple[bool, int]:
        """Whether in logarithms, and how many turns; anything where another's function does it."""
        return _sinkhorn.compiled(self.residual_mix_constraint_fn) or (False, 1)

    def _options(self, constraint: str, iters: int) -> str:
        if self.num_input_views > 1:
            raise NotImplementedError("num_input_views > 1: the package's scales do not fit its own logits then")
        return (f"iters = {max(iters, 0)}, proposals = {self.num_dynamic_alpha_proposals}, constraint = {constraint}, "
                f"depth = {str(self.add_branch_out_to_residual).lower()}")

    def _constrains_itself(self) -> bool:
        return _sinkhorn.compiled(self.residual_mix_constraint_fn) is not None

    def _constrained(self, logits: Tensor) -> Tensor:
        axis = -self._logit_axes
        return self.residual_mix_constraint_fn(logits.movedim(axis, 0)).movedim(0, axis)

    def _transformed(self, residuals: Tensor) -> Tensor:
        return self.residual_transform(residuals)

    def _reads_as_it_is(self) -> bool:
        return type(self.residual_transform) is nn.Identity

    def _named(self) -> Mapping[str, Tensor]:
        named: dict[str, Any] = dict(self._parameters)
        named["gamma"] = self.norm.gamma
        return named

    def _coefficients(self, beta: Tensor, like: Tensor) -> Tensor:
        return beta.squeeze(1) if like.dim() == self._bare_axes else beta

    def _of_coefficients(self, beta: Tensor) -> Tensor:
        return beta.unsqueeze(1) if beta.dim() == 4 else beta
