"""Hyper-connections around several branches side by side, on compiled kernels."""

from __future__ import annotations

from random import randrange
from typing import Any, Callable, Mapping, Optional, Sequence, Union

import torch
from torch import Tensor, nn

from . import _folded, _parts
from ._site import Residual, RMSNorm, Site, on_first

__all__ = [
    "HyperConnections", "RMSNorm", "Residual", "get_expand_reduce_stream_functions",
    "get_init_and_expand_reduce_stream_functions"
]

Branches = Union[Callable[..., Any], Sequence[Callable[..., Any]]]


def get_expand_reduce_stream_functions(cls: Any, num_streams: int,
                                       disable: bool = False) -> tuple[nn.Module, nn.Module]:
    """Modules that make streams and that sum them up. `cls` is not used: the package has it."""
    return _folded.get_expand_reduce_stream_functions(num_streams, disable=disable)


def get_init_and_expand_reduce_stream_functions(cls: Any, num_streams: int,
                                                disable: Optional[bool] = None) -> tuple[Any, ...]:
    """A function that makes sites, a module that makes streams, and one that sums them up."""
    disable = num_streams == 1 if disable is None else disable
    return _folded.initial_functions(HyperConnections, Residual, num_streams, disable, None,
                                     _folded.get_expand_reduce_stream_functions(num_streams, disable=disable))


class HyperConnections(Site):
    """A site of dynamic hyper-connections that reads `num_branch_inputs` combinations of the streams and
    writes what comes of each of them with weights of its own.

    Inputs are folded into the samples, [(i b), ..., dim]. Several branches share them evenly.
    """

    _lists = ("xs",)

    def __init__(self, num_residual_streams: int, *, dim: int,
                 branch: Optional[Union[nn.Module, Sequence[nn.Module]]] = None, layer_index: Optional[int] = None,
                 tanh: bool = True, channel_first: bool = False, dropout: float = 0., num_branch_inputs: int = 1):
        super().__init__()
        self.branches = None
        if isinstance(branch, nn.Module):
            branch = [branch]
        if branch is not None:
            assert num_branch_inputs % len(branch) == 0
            self.branches = nn.ModuleList(branch)
        self.act = nn.Tanh() if tanh else nn.Identity()
        self.norm = RMSNorm(dim)
        n, inputs = num_residual_streams, num_branch_inputs
        self.num_residual_streams = n
        self.num_branch_inputs = inputs
        self.static_beta = nn.Parameter(torch.ones(n, inputs))
        drawn = randrange(n * inputs)
        turn = (drawn if layer_index is None else layer_index) % (n * inputs) * inputs
        sums = torch.arange(n)[:, None] + torch.arange(inputs)[None, :] + turn
        self.static_alpha = nn.Parameter(torch.cat([(sums % n == 0).float(), torch.eye(n)], dim=1))
        self.dynamic_alpha_fn = nn.Parameter(torch.zeros(dim, n + inputs))
        self.dynamic_alpha_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.dynamic_beta_fn = nn.Parameter(torch.zeros(dim, inputs))
        self.dynamic_beta_scale = nn.Parameter(torch.ones(()) * 1e-2)
        self.dropout = nn.Dropout(dropout)
        self.channel_first = channel_first

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        act = "tanh" if isinstance(self.act, nn.Tanh) else "none"
        call = f"several_branches(n = {self.num_residual_streams}, act = {act})"
        return _parts.Connection("branches", call, _parts.size(residuals, -1), branches=self.num_branch_inputs)

    def _named(self) -> Mapping[str, Tensor]:
        named: dict[str, Any] = dict(self._parameters)
        named["gamma"] = self.norm.gamma
        return named

    # --- layouts: features last in programs; the mixed streams are [b, ..., s, d] in between ----------

    def _streams(self, residuals: Tensor) -> Tensor:
        return super()._streams(residuals.movedim(1, -1) if self.channel_first else residuals)

    def _of_streams(self, streams: Tensor, like: Tensor) -> Tensor:
        streams = super()._of_streams(streams, like)
        return streams.movedim(-1, 1) if self.channel_first else streams

    def _inputs(self, found: dict[str, Any], like: Tensor) -> list[Tensor]:
        return [self._of_streams(one, like) for one in found.pop("xs")]

    def _outputs(self, given: Sequence[Tensor]) -> dict[str, Tensor]:
        """What came of each input, from tensors that hold a part of them each."""
        each = [one for part in given for one in part.unflatten(0, (self.num_branch_inputs // len(given), -1)).unbind(0)]
        each = [self._streams(one) for one in each]
        return {"y": each[0]} if len(each) == 1 else {f"y.{k}": one for k, one in enumerate(each)}

    # --- the package's interface --------------------------------------------------------------------

    def width_connection(self, residuals: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
        found = self._run({"H": self._streams(residuals)}, self._last(residuals), given=("H",), results=("xs", "m", "beta"))
        beta = found["beta"].squeeze(1) if residuals.dim() == 2 else found["beta"]
        m = found["m"].squeeze(1) if residuals.dim() == 2 else found["m"]
        apart = _folded.unfolded(m, self.num_residual_streams, False)
        return torch.cat(self._inputs(found, residuals)), apart, dict(beta=beta)

    def depth_connection(self, branch_output: Tensor, residuals: Tensor, *, beta: Tensor) -> Tensor:
        mixed = _folded.folded(residuals, False)
        values = {"m": super()._streams(mixed), "beta": beta.unsqueeze(1) if beta.dim() == 3 else beta}
        values |= self._outputs([branch_output])
        given = ("m", "beta", *(name for name in values if name.startswith("y")))
        written = self._run(values, mixed, given=given, results=("H",))["H"]
        return self._drop(self._of_streams(written, mixed))

    def _read(self, residuals: Tensor) -> tuple[dict[str, Any], Tensor]:
        made = _parts.primitive((self._connection(self._last(residuals)),), part="read",
                                precision=_parts.precision(residuals))
        return _parts.read(made, self._streams(residuals), self._named(), self._lists)

    def _last(self, residuals: Tensor) -> Tensor:
        return residuals.movedim(1, -1) if self.channel_first else residuals

    def _open_all(self, residuals: Tensor) -> tuple[list[Tensor], Callable[[Sequence[Tensor]], Tensor]]:
        """The inputs of branches, and a function of tensors that hold their results one after another."""
        like = self._last(residuals)
        found, states = self._read(residuals)
        inputs = self._inputs(found, residuals)

        def write(outputs: Sequence[Tensor]) -> Tensor:
            written = self._run({"H": states, **self._outputs(outputs), **found}, like, part="write")["H"]
            return self._drop(self._of_streams(written.to(residuals.dtype), residuals))

        return inputs, write

    def _shared(self, inputs: list[Tensor], branches: int) -> list[Tensor]:
        """What each branch takes."""
        each = len(inputs) // branches
        return [torch.cat(inputs[k * each:(k + 1) * each]) if each > 1 else inputs[k] for k in range(branches)]

    def _around(self, residuals: Tensor, branches: Sequence[Callable[..., Any]], args: Any, kwargs: Any) -> Any:
        inputs, write = self._open_all(residuals)
        outputs = [fn(x, *args, **kwargs) for fn, x in zip(branches, self._shared(inputs, len(branches)))]
        if len(outputs) == 1:
            return on_first(lambda out: write([out]))(outputs[0])
        return write(outputs)

    def decorate_branch(self, branch: Branches) -> Callable[..., Any]:
        assert self.branches is None, 'branch was already wrapped on init'

        def forward_and_add_residual(residual: Tensor, *args: Any, **kwargs: Any) -> Any:
            branches = [branch] if callable(branch) else branch
            return self._around(residual, branches, args, kwargs)

        return forward_and_add_residual

    def forward(self, residuals: Tensor, *branch_args: Any, **branch_kwargs: Any) -> Any:
        """With branches: the streams after them. Without: their inputs, and a function of what came of
        them that gives the streams."""
        if self.branches is not None:
            return self._around(residuals, list(self.branches), branch_args, branch_kwargs)
        inputs, write = self._open_all(residuals)
        return torch.cat(inputs) if len(inputs) > 1 else inputs[0], on_first(lambda out: write([out]))


HyperConnections.get_expand_reduce_stream_functions = staticmethod(get_expand_reduce_stream_functions)
HyperConnections.get_init_and_expand_reduce_stream_functions = staticmethod(get_init_and_expand_reduce_stream_functions)
