"""Hyper-connections around a branch with several inputs in streams, on compiled kernels."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Union

import torch
from torch import Tensor, nn

from . import _folded, _parts
from ._site import Residual as _Residual
from ._site import RMSNorm, Site, on_first
from .hyper_connections import first_alpha
from .hyper_connections_channel_first import get_expand_reduce_stream_functions

__all__ = [
    "HyperConnections", "InputPathType", "ProjActScale", "RMSNorm", "Residual", "get_expand_reduce_stream_functions",
    "get_init_and_expand_reduce_stream_functions"
]

#: Where a further input is: the number of a positional argument, the streams being 0, or a keyword.
InputPathType = Union[int, str]


def get_init_and_expand_reduce_stream_functions(num_streams: int, disable: Optional[bool] = None) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that sums them up."""
    disable = num_streams == 1 if disable is None else disable
    return _folded.initial_functions(HyperConnections, Residual, num_streams, disable, None,
                                     get_expand_reduce_stream_functions(num_streams, disable=disable))


class ProjActScale(nn.Module):
    """A projection, an activation and a scale. In a site they are part of the compiled read."""

    def __init__(self, dim: int, dim_out: Optional[int], activation: nn.Module = nn.Identity(),
                 scale_init: float = 1e-2, squeeze_output: bool = False):
        super().__init__()
        self.proj = nn.Linear(dim, dim if dim_out is None else dim_out, bias=False)
        nn.init.zeros_(self.proj.weight)
        self.act = activation
        self.scale = nn.Parameter(torch.ones(()) * scale_init)
        self.squeeze_output = squeeze_output

    def forward(self, x: Tensor) -> Tensor:
        out = self.act(self.proj(x)) * self.scale
        return out.squeeze(-1) if self.squeeze_output else out


class Residual(_Residual):
    """The plain residual; further inputs go to the branch as they are."""

    def __init__(self, *args: Any, branch: Optional[nn.Module] = None, **kwargs: Any):
        super().__init__(branch=branch)

    def width_connection(self, residuals: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, dict[str, Any]]:
        return residuals, residuals, dict()


class _Pool:
    """What a further input's streams are read by."""

    def __init__(self, site: "HyperConnections", number: int):
        self.site, self.number = site, number

    def __call__(self, streams: Tensor) -> Tensor:
        site, proj = self.site, self.site.additional_to_dynamic_input[self.number]
        if site.channel_first:
            raise NotImplementedError("channel_first with additional_input_paths: the package fails on it")
        connection = _parts.Connection("input_streams", f"pooled_input(n = {site.num_residual_streams}, act = {site._act})",
                                       _parts.size(streams, -1))
        made = _parts.primitive((connection,), given=("H",), results=("x",), precision=_parts.precision(streams))
        named = {"gamma": site.additional_norms[self.number].gamma, "proj": proj.proj.weight, "scale": proj.scale,
                 "static_input": site.additional_static_input[self.number]}
        found = _parts.run(made, {"H": streams.unsqueeze(1) if streams.dim() == 2 else streams}, named)["x"]
        return found.squeeze(1) if streams.dim() == 2 else found


class HyperConnections(Site):
    """A site of dynamic hyper-connections around a branch of which further inputs come in streams, too.

    additional_input_paths: where they are, each alone or with its width, (path, width). The streams of
    such an input are read with weights of its own, and nothing is written to them.
    """

    def __init__(self, num_residual_streams: int, *, dim: int,
                 additional_input_paths: Optional[list[Union[InputPathType, tuple[InputPathType, int]]]] = None,
                 branch: Optional[nn.Module] = None, layer_index: Optional[int] = None, tanh: bool = True,
                 channel_first: bool = False, dropout: float = 0.):
        super().__init__()
        self.branch = branch
        act = nn.Tanh() if tanh else nn.Identity()
        self._act = "tanh" if tanh else "none"
        assert num_residual_streams > 0, '`num_residual_streams` must be greater than 0'
        n = self.num_residual_streams = num_residual_streams
        self.norm = RMSNorm(dim)
        alpha = first_alpha(n, 1, layer_index, n)
        self.dynamic_alpha_and_branch_input = ProjActScale(dim, n + 1, activation=act)
        self.static_alpha = nn.Parameter(alpha)
        self.dynamic_beta = ProjActScale(dim, 1, activation=act, squeeze_output=True)
        self.static_beta = nn.Parameter(torch.ones(n))
        paths = [one if isinstance(one, tuple) else (one, dim) for one in additional_input_paths or []]
        assert all(isinstance(path, str) or path > 0 for path, _ in paths)
        self.additional_norms = nn.ModuleList([RMSNorm(width) for _, width in paths])
        self.additional_to_dynamic_input = nn.ModuleList(
            [ProjActScale(width, 1, activation=act, squeeze_output=True) for _, width in paths])
        self.additional_static_input = nn.ParameterList([nn.Parameter(alpha[..., 0].clone()) for _ in paths])
        self.additional_input_paths = paths
        self.dropout = nn.Dropout(dropout)
        self.channel_first = channel_first

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        n = self.num_residual_streams
        if self.channel_first:
            area = _parts.area(residuals)
            return _parts.Connection("channel_first", f"pictures(n = {n}, area = {area}, act = {self._act})",
                                     _parts.size(residuals, 1) * area, by_position=False)
        return _parts.Connection("input_streams", f"input_streams(n = {n}, act = {self._act})", _parts.size(residuals, -1))

    def _named(self) -> Mapping[str, Tensor]:
        alpha, beta = self.dynamic_alpha_and_branch_input, self.dynamic_beta
        named: dict[str, Any] = dict(self._parameters)
        named["gamma"] = self.norm.gamma
        if self.channel_first:
            return named | {"dynamic_alpha_fn": alpha.proj.weight, "dynamic_alpha_scale": alpha.scale,
                            "dynamic_beta_fn": beta.proj.weight, "dynamic_beta_scale": beta.scale}
        return named | {"alpha_proj": alpha.proj.weight, "alpha_scale": alpha.scale, "beta_proj": beta.proj.weight,
                        "beta_scale": beta.scale}

    # --- layouts: the mixed streams are [b, ..., s, d] between width_connection and depth_connection --

    def _streams(self, residuals: Tensor) -> Tensor:
        return residuals.flatten(1) if self.channel_first else super()._streams(residuals)

    def _of_streams(self, streams: Tensor, like: Tensor) -> Tensor:
        return streams.view(like.shape) if self.channel_first else super()._of_streams(streams, like)

    def _branch_input(self, x: Tensor, like: Tensor) -> Tensor:
        return x.unflatten(1, like.shape[1:]) if self.channel_first else super()._branch_input(x, like)

    def _branch_output(self, y: Tensor) -> Tensor:
        return y.flatten(1) if self.channel_first else super()._branch_output(y)

    def _mixed(self, m: Tensor, like: Tensor) -> Tensor:
        return _folded.unfolded(self._of_streams(m, like), self.num_residual_streams, self.channel_first)

    def _of_mixed(self, residuals: Tensor) -> Tensor:
        return self._streams(_folded.folded(residuals, self.channel_first))

    def _coefficients(self, beta: Tensor, like: Tensor) -> Tensor:
        if not self.channel_first:
            return super()._branch_input(beta, like)
        return beta.unflatten(-1, like.shape[2:]).movedim(1, -1)

    def _of_coefficients(self, beta: Tensor) -> Tensor:
        return beta.movedim(-1, 1).flatten(2) if self.channel_first else super()._branch_output(beta)

    def _result_like(self, residuals: Tensor) -> Tensor:
        return _folded.folded(residuals, self.channel_first)

    # --- the package's interface --------------------------------------------------------------------

    def _read_others(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with those in the paths read from their streams."""
        found: list[Any] = list(args)
        for number, (path, _) in enumerate(self.additional_input_paths):
            place, key = (found, path - 1) if isinstance(path, int) else (kwargs, path)
            assert torch.is_tensor(place[key])
            place[key] = _Pool(self, number)(place[key])
        return found, kwargs

    def width_connection(self, residuals: Tensor, *branch_args: Any, **branch_kwargs: Any) -> Any:
        branch_input, mixed, rest = super().width_connection(residuals)
        args, kwargs = self._read_others(branch_args, branch_kwargs)
        return ([branch_input, *args], kwargs), mixed, rest

    def decorate_branch(self, branch: Callable[..., Any]) -> Callable[..., Any]:
        assert self.branch is None, 'branch was already wrapped on init'

        def forward_and_add_residual(residual: Tensor, *args: Any, **kwargs: Any) -> Any:
            (args_read, kwargs_read), add_residual = self.forward(residual, *args, **kwargs)
            return add_residual(branch(*args_read, **kwargs_read))

        return forward_and_add_residual

    def forward(self, residuals: Tensor, *branch_args: Any, **branch_kwargs: Any) -> Any:
        """With a branch: the streams after it. Without: what it is called with, as (arguments,
        keywords), and a function of its result that gives the streams."""
        if self._whole():
            branch_input, add_residual = self._open(residuals)
            args, kwargs = self._read_others(branch_args, branch_kwargs)
            args = [branch_input, *args]
        else:  # a subclass has a pair of its own
            (args, kwargs), mixed, rest = self.width_connection(residuals, *branch_args, **branch_kwargs)
            add_residual = on_first(lambda out: self.depth_connection(out, mixed, **rest))
        if self.branch is None:
            return (args, kwargs), add_residual
        return add_residual(self.branch(*args, **kwargs))


HyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
HyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(get_init_and_expand_reduce_stream_functions)
