"""What all classes of sites have in common: how a branch is wrapped, and which programs run when.

Around a branch two programs do: `read` gives what the branch takes and the few coefficients that
`write` needs besides the streams. `width_connection` and `depth_connection`, the package's pair with
the mixed streams in memory between them, are programs of their own; they run where somebody calls them
or where something in between is a Python function.
"""

from __future__ import annotations

import operator
from typing import Any, Callable, Mapping, Optional

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from .. import ArgumentError
from . import _parts, _pending
from ._fallback import fall_back
from .residuals import CompiledResidual


def add(x: Tensor, y: Tensor) -> Tensor:
    """What `depth_residual_fn` is unless another one is given: then it is compiled."""
    return x + y


_ADDITIONS = (add, torch.add, operator.add)


class WrapsBranch(nn.Module):
    """`forward` and `decorate_branch` over `_open`, which gives a branch's input and a function of its
    result; `branch` may be None."""

    branch: Optional[nn.Module]

    def _open(self, residuals: Tensor) -> tuple[Tensor, Callable[[Any], Any]]:
        raise NotImplementedError

    def decorate_branch(self, branch: Callable[..., Any]) -> Callable[..., Any]:
        """`branch` as a function of the streams that gives the streams."""
        assert self.branch is None, 'branch was already wrapped on init'

        def forward_and_add_residual(residual: Tensor, *args: Any, **kwargs: Any) -> Any:
            branch_input, add_residual = self.forward(residual)
            return add_residual(branch(branch_input, *args, **kwargs))

        return forward_and_add_residual

    def forward(self, residuals: Tensor, *branch_args: Any, **branch_kwargs: Any) -> Any:
        """With a branch: the streams after it. Without: its input, and a function of its result that
        gives the streams. Of a branch's result that is no tensor (a tuple, a dictionary) the first
        leaf is written, and the others come back in their places."""
        branch_input, add_residual = self._open(residuals)
        if self.branch is None:
            return branch_input, add_residual
        return add_residual(self.branch(branch_input, *branch_args, **branch_kwargs))


def on_first(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Any]:
    """`function` of the first leaf of what a branch gave."""

    def of_tree(branch_out: Any) -> Any:
        (first, *rest), spec = tree_flatten(branch_out)
        return tree_unflatten([function(first), *rest], spec)

    return of_tree


def spread(out: Any, shape: torch.Size) -> Tensor:
    """A branch's result, in the shape of what it takes, or broadcast to it."""
    if not torch.is_tensor(out):
        raise ArgumentError(f"a branch gives a tensor, or a tree of such, and not {type(out).__name__}")
    if out.shape == shape:
        return out
    fits = out.dim() <= len(shape) and all(one in (1, all_) for one, all_ in zip(reversed(out.shape), reversed(shape)))
    if not fits:
        raise ArgumentError(f"a branch's result is {list(shape)} as what it takes, or broadcasts to it, and not {list(out.shape)}")
    return out.expand(shape)


class Residual(WrapsBranch):
    """The plain residual, which takes the place of a connection where `disable` says so. Its addition
    is PyTorch's."""

    def __init__(self, *args: Any, branch: Optional[nn.Module] = None, residual_transform: Optional[nn.Module] = None,
                 **kwargs: Any):
        super().__init__()
        self.branch = branch
        self.residual_transform = nn.Identity() if residual_transform is None else residual_transform

    def width_connection(self, residuals: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
        return residuals, residuals, dict()

    def depth_connection(self, branch_output: Tensor, residuals: Tensor) -> Tensor:
        return branch_output + self.residual_transform(residuals)

    def _open(self, residuals: Tensor) -> tuple[Tensor, Callable[[Any], Any]]:
        branch_input, residuals, rest = self.width_connection(residuals)
        return branch_input, on_first(lambda out: self.depth_connection(out, residuals, **rest))


class RMSNorm(nn.Module):
    """The norm of a connection's own inputs. In a site it is part of the compiled read, so only its
    parameter counts there; called, it is PyTorch's."""

    def __init__(self, dim: int):
        super().__init__()
        self.scale = dim**0.5
        self.gamma = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.normalize(x, dim=-1) * self.scale * (self.gamma + 1)


class Site(WrapsBranch):
    """A site on compiled programs. Subclasses say which connection it is, how their parameters are
    called in its text, and how the package's tensors lie."""

    depth_residual_fn: Callable[[Tensor, Tensor], Tensor]
    add_branch_out_to_residual = True
    dropout: nn.Dropout
    _lists: tuple[str, ...] = ()  #: results of programs that are one tensor for each branch
    meets_site: Optional[bool] = None  #: whether a site was the next to use what it gave (see _pending)
    _bare_axes = 2  #: of streams without positions, to whom programs see one

    def __init__(self) -> None:
        super().__init__()
        self.depth_residual_fn = add  # not of the class: that would hide a module, which is found after it

    # --- of subclasses ------------------------------------------------------------------------------

    def _connection(self, residuals: Tensor) -> _parts.Connection:
        raise NotImplementedError

    def _named(self) -> Mapping[str, Tensor]:
        """Parameters by the names of the text."""
        raise NotImplementedError

    def _streams(self, residuals: Tensor) -> Tensor:
        """As programs take them, from the package's layout; views only."""
        return residuals.unsqueeze(1) if residuals.dim() == self._bare_axes else residuals

    def _of_streams(self, streams: Tensor, like: Tensor) -> Tensor:
        """The other way round."""
        return streams.squeeze(1) if like.dim() == self._bare_axes else streams

    def _branch_input(self, x: Tensor, like: Tensor) -> Tensor:
        return x.squeeze(1) if like.dim() == self._bare_axes else x

    def _branch_output(self, y: Tensor) -> Tensor:
        return y.unsqueeze(1) if y.dim() == 2 else y

    def _mixed(self, m: Tensor, like: Tensor) -> Tensor:
        """The mixed streams as width_connection gives them, and back."""
        return self._of_streams(m, like)

    def _of_mixed(self, residuals: Tensor) -> Tensor:
        return self._streams(residuals)

    def _result_like(self, mixed: Tensor) -> Tensor:
        """A tensor as depth_connection's result is, from mixed streams."""
        return mixed

    def _coefficients(self, beta: Tensor, like: Tensor) -> Tensor:
        """What the write multiplies a branch's result by as width_connection gives it, and back."""
        return beta

    def _of_coefficients(self, beta: Tensor) -> Tensor:
        return beta

    def _constrains_itself(self) -> bool:
        """Whether all that makes the mixing is compiled; else `_constrained` is part of it."""
        return True

    def _constrained(self, logits: Tensor) -> Tensor:
        """What a function of Python makes of the logits, both as programs have them."""
        raise NotImplementedError

    # --- programs -----------------------------------------------------------------------------------

    def _run(self, values: dict[str, Tensor], like: Tensor, part: str = "", given: tuple[str, ...] = (),
             results: tuple[str, ...] = ()) -> dict[str, Tensor]:
        made = _parts.primitive((self._connection(like),), part, given, results, _parts.precision(like))
        return _parts.run(made, values, self._named(), self._lists)

    def _read(self, like: Tensor) -> tuple[dict[str, Any], Tensor]:
        """What the read gives, and the states for the write."""
        made = _parts.primitive((self._connection(like),), part="read", precision=_parts.precision(like))
        return _parts.read(made, self._streams(like), self._named(), self._lists)

    @property
    def _writes_sum(self) -> bool:
        return any(self.depth_residual_fn is one for one in _ADDITIONS)

    def _whole(self) -> bool:
        """Whether a read and a write do: nothing in between is anybody else's."""
        pair = (type(self).width_connection, type(self).depth_connection)
        return self._writes_sum and self._constrains_itself() and all(one.__module__.startswith(__package__)
                                                                      for one in pair)

    def _drop(self, residuals: Tensor) -> Tensor:
        if not self.training or self.dropout.p == 0:
            return residuals
        fall_back("dropout")
        return self.dropout(residuals)

    def _transformed(self, residuals: Tensor) -> Tensor:
        return residuals

    # --- the package's interface --------------------------------------------------------------------

    def width_connection(self, residuals: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """The branch's input, the mixed streams, and what depth_connection takes besides."""
        residuals = self._transformed(_pending.plain(residuals))
        values = {"H": self._streams(residuals)}
        given: tuple[str, ...] = ("H",)
        if not self._constrains_itself():
            fall_back("residual_mix_constraint_fn")
            logits = self._run(values, residuals, given=given, results=("logits",))["logits"]
            values["mixes"] = self._constrained(logits)
            given = ("H", "mixes")
        results = ("x", "m") + ("beta",) * self.add_branch_out_to_residual
        found = self._run(values, residuals, given=given, results=results)
        beta = self._coefficients(found["beta"], residuals) if self.add_branch_out_to_residual else None
        return self._branch_input(found["x"], residuals), self._mixed(found["m"], residuals), dict(beta=beta)

    def depth_connection(self, branch_output: Tensor, residuals: Tensor, *, beta: Tensor) -> Tensor:
        """The streams after a branch, from what width_connection gave."""
        assert self.add_branch_out_to_residual
        values = {"beta": self._of_coefficients(beta), "y": self._branch_output(branch_output)}
        like = self._result_like(residuals)
        if self._writes_sum:
            values["m"] = self._of_mixed(residuals)
            written = self._run(values, like, given=("m", "beta", "y"), results=("H",))["H"]
            return self._drop(self._of_streams(written, like))
        landed = self._run(values, like, given=("beta", "y"), results=("o",))["o"]
        if not isinstance(self.depth_residual_fn, CompiledResidual):
            fall_back("depth_residual_fn")
        return self._drop(self.depth_residual_fn(self._of_streams(landed, like), residuals))

    def _open(self, residuals: Tensor) -> tuple[Tensor, Callable[[Any], Any]]:
        if not self._whole():
            branch_input, mixed, rest = self.width_connection(residuals)
            if not self.add_branch_out_to_residual:
                return branch_input, lambda out: out
            return branch_input, on_first(lambda out: self.depth_connection(out, mixed, **rest))
        turned = self._turn(residuals)
        if turned is None:
            residuals = self._transformed(_pending.plain(residuals))
            found, states = self._read(residuals)
        else:
            found, states, residuals = turned
        branch_input = self._branch_input(found.pop("x"), residuals)
        if not self.add_branch_out_to_residual:
            return branch_input, lambda out: out
        shape = branch_input.shape[self._bare_axes - 2 - residuals.dim():]  # of one view
        return branch_input, on_first(lambda out: self._write(spread(out, shape), states, found, residuals))

    def _write(self, out: Tensor, states: Tensor, kept: dict[str, Tensor], residuals: Tensor) -> Tensor:
        """The streams after the branch: now, or when somebody wants them."""
        y = self._branch_output(out)

        def run(states: Tensor, y: Tensor, kept: dict[str, Tensor]) -> Tensor:
            written = self._run({"H": states, "y": y, **kept}, residuals, part="write")["H"].to(residuals.dtype)
            return self._drop(self._of_streams(written, residuals))

        if not _pending.allowed(self) or self.training and self.dropout.p > 0:
            streams = run(states, y, kept)
            _pending.given(self, streams)
            return streams
        return _pending.defer(_pending.Write(self, states, y, kept, run), residuals)

    def _turn(self, residuals: Tensor) -> Optional[tuple[dict[str, Any], Tensor, Tensor]]:
        """Where the streams are still to be written by a site that is one of these, too: the write of
        that and the read of this in one program. What the read gives, the states, the streams."""
        if torch.compiler.is_compiling():
            return None
        _pending.taken(residuals)
        write = _pending.unsettled(residuals)
        if write is None or not self._reads_as_it_is() or write.grad != torch.is_grad_enabled():
            return None
        like = _pending.shape_of(residuals)
        pair = write.site._connection(like), self._connection(like)
        if pair[0].text != pair[1].text or pair[0][2:] != pair[1][2:]:
            return None
        write.check()
        made = _parts.primitive(pair, part="turn", precision=_parts.precision(like))
        named = {f"write.{k}": p for k, p in write.site._named().items()}
        named |= {f"read.{k}": p for k, p in self._named().items()}
        found = _parts.run(made, {"H": write.states, "y": write.y, **write.kept}, named)
        states = found.pop("H")
        found["x"] = found["x"].to(like.dtype)
        streams = write.site._of_streams(states.to(like.dtype), like)
        _pending.settle(residuals, streams, turned=True)
        return found, states, streams

    def _reads_as_it_is(self) -> bool:
        """Whether nothing comes between the streams and the read."""
        return True
