"""Streams that nobody has looked at yet, so that the next site may read them where they are written.

What a site gives is written when it is first used. Where that is by another site, one program (`turn`)
writes them and reads them; anything else finds a tensor, as what is done with this one is done with
that. HCC_TURN=0 in the environment writes at once.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Optional

import torch
from torch import Tensor


class Write:
    """A write that has not run: its site, its streams, what its read kept, and the branch's result."""

    def __init__(self, site: Any, states: Tensor, kept: dict[str, Tensor], y: Tensor, run: Callable[[], Tensor]):
        self.site, self.states, self.kept, self.y, self.run = site, states, kept, y, run
        self.grad = torch.is_grad_enabled()
        self.versions = self._versions()

    def _versions(self) -> list[int]:
        return [0 if one.is_inference() else one._version for one in (self.states, self.y)]

    def check(self) -> None:
        """What it reads is what it was, though it runs later."""
        if self.versions != self._versions():
            raise RuntimeError("streams or a branch's result were changed in place before the streams after the branch "
                               "were used; HCC_TURN=0 in the environment writes these at once")


class Pending(torch.Tensor):
    """The streams after a site, written when they are first used."""

    _write: Optional[Write]
    _value: Optional[Tensor]

    @staticmethod
    def __new__(cls, write: Write, like: Tensor) -> "Pending":
        made = torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype, device=like.device)
        made._write, made._value = write, None
        return made

    def __init__(self, *_: Any):
        pass

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = torch.utils._pytree.tree_map_only(Pending, value_of, (args, kwargs or {}))
        return function(*args, **kwargs)

    __torch_dispatch__ = __torch_function__


def value_of(pending: Pending) -> Tensor:
    """The tensor itself."""
    fields = pending.__dict__
    if fields["_value"] is None:
        write = fields["_write"]
        write.check()
        with torch.set_grad_enabled(write.grad):
            settle(pending, write.run())
    return fields["_value"]


def unsettled(residuals: Tensor) -> Optional[Write]:
    """The write that is still to run, if these are such streams."""
    return residuals.__dict__["_write"] if isinstance(residuals, Pending) else None


def shape_of(pending: Tensor) -> Tensor:
    """A tensor of its shape and type without elements: looking at these is no use of it."""
    with torch._C.DisableTorchFunctionSubclass():
        return torch.empty(pending.shape, dtype=pending.dtype, device="meta")


def settle(pending: Pending, value: Tensor) -> None:
    """It has run, and this came of it."""
    pending.__dict__.update(_write=None, _value=value)


def allowed() -> bool:
    """Whether writes may wait."""
    return not torch.compiler.is_compiling() and os.environ.get("HCC_TURN") != "0"
