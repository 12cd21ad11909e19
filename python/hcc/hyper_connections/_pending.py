"""Streams that nobody has looked at yet, so that the next site may read them where they are written.

Where the next to use what a site gives was another site, the time before, they are written when they
are first used. Where that is by another site again, one program (`turn`)
writes them and reads them; anything else finds a tensor, as what is done with this one is done with
that, and from then on sites read that tensor, whatever was done to it, and the site writes at once
from then on. Streams that a turn has read have no gradient of their own any more: who asks for one is
told. PyTorch's own machinery does not ask (a `Function` of the user's, checkpoints, hooks): to it this
is a tensor with a history, whose gradient goes the way that the streams' own would. HCC_TURN=0 in the
environment writes at once, HCC_TURN=1 always when they are used; whoever traces has them at once.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import weakref
from typing import Any, Callable, Optional

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Write:
    """A write that has not run: its site, its streams, the branch's result and what its read kept; and
    the function of these three that runs it."""

    def __init__(self, site: Any, states: Tensor, y: Tensor, kept: dict[str, Tensor],
                 run: Callable[[Tensor, Tensor, dict[str, Tensor]], Tensor]):
        self.site, self.states, self.y, self.kept, self.run = site, states, y, kept, run
        self.grad = torch.is_grad_enabled()
        self.versions = self._versions()

    def _versions(self) -> list[int]:
        return [0 if one.is_inference() else one._version for one in (self.states, self.y, *self.site._named().values())]

    def check(self) -> None:
        """What it reads is what it was, though it runs later."""
        if self.versions != self._versions():
            raise RuntimeError("streams, a branch's result or parameters were changed in place before the streams after the branch "
                               "were used; HCC_TURN=0 in the environment writes these at once")


#: What may be asked without a look at the elements.
_ASKED = {
    getattr(torch.Tensor, name).__get__ for name in ("requires_grad", "grad_fn", "is_leaf", "shape", "dtype", "device", "ndim")
} | {torch.Tensor.dim, torch.Tensor.size, torch.Tensor.numel}


#: What asks for the gradient of streams themselves, or cuts their history.
_OF_GRADIENTS = {torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward, torch.Tensor.retain_grad,
                 torch.Tensor.register_hook, torch.Tensor.detach_, torch.Tensor.requires_grad_}


class Pending(torch.Tensor):
    """The streams after a site, written when they are first used."""

    _write: Optional[Write]
    _value: Optional[Tensor]

    @staticmethod
    def __new__(cls, write: Write, like: Tensor) -> "Pending":
        like = shape_of(like)
        made = torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype, device="cpu")
        made._write, made._value = write, None
        return made

    def __init__(self, *_: Any):
        pass

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in _ASKED:
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **(kwargs or {}))
        if function in _OF_GRADIENTS:
            torch.utils._pytree.tree_map_only(Pending, _check_gradients, (args, kwargs or {}))
        args, kwargs = torch.utils._pytree.tree_map_only(Pending, value_of, (args, kwargs or {}))
        return function(*args, **kwargs)

    __torch_dispatch__ = __torch_function__


class _Defer(torch.autograd.Function):
    """Streams with the history of their write, which has not run. Its backward pass runs a write of its
    own: the streams may have been written by a program whose own backward pass is over."""

    @staticmethod
    def forward(ctx: Any, write: Write, like: Tensor, *inputs: Tensor) -> Pending:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs)
        ctx.run, ctx.names = write.run, list(write.kept)
        return Pending(write, like)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Optional[Tensor]) -> Any:
        needed = ctx.needs_input_grad[2:]
        if gradient is None:
            return (None, None, *(None for _ in needed))
        inputs = [one.detach().requires_grad_(need) for one, need in zip(ctx.saved_tensors, needed)]
        with torch.enable_grad():
            value = ctx.run(*inputs[:2], dict(zip(ctx.names, inputs[2:])))
        found = iter(torch.autograd.grad(value, [one for one in inputs if one.requires_grad], gradient))
        return (None, None, *(next(found) if need else None for need in needed))


def _check_gradients(pending: Pending) -> Pending:
    if pending.__dict__.get("_turned"):
        raise RuntimeError("the next site read these streams while it wrote them, so their own gradient is made nowhere: ask "
                           "before that site, or write them at once with HCC_TURN=0 in the environment")
    return pending


def plain(residuals: Tensor) -> Tensor:
    """The tensor that streams are, written if need be."""
    return value_of(residuals) if isinstance(residuals, Pending) else residuals


def defer(write: Write, like: Tensor) -> Tensor:
    """The streams that it will give, as `like` is."""
    _leave_to_python()
    made = _Defer.apply(write, like.detach(), write.states, write.y, *write.kept.values())
    made.__dict__["_history"] = _history(made)
    return made


@functools.lru_cache(maxsize=None)
def _left_to_python(tracer: Any) -> None:
    global value_of
    value_of = tracer.disable(value_of)
    Pending.__torch_function__ = classmethod(tracer.disable(Pending.__torch_function__.__func__))  # type: ignore[method-assign, attr-defined]
    Pending.__torch_dispatch__ = Pending.__torch_function__  # type: ignore[method-assign]


def _leave_to_python() -> None:
    """Whoever traces functions that use such streams finds a break there. Nothing is to be done before
    the tracer is loaded, which takes seconds."""
    if "torch._dynamo" in sys.modules:
        _left_to_python(sys.modules["torch._dynamo"])


class _Look(torch.autograd.Function):
    """The value of streams whose history somebody else has made, as a checkpoint does."""

    @staticmethod
    def forward(ctx: Any, pending: Pending, value: Tensor) -> Tensor:
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None


def _history(pending: Pending) -> Any:
    with torch._C.DisableTorchFunctionSubclass():
        return pending.grad_fn


def _adopted(pending: Pending) -> bool:
    """Whether its history is another one than it began with."""
    return _history(pending) is not pending.__dict__["_history"]


def value_of(pending: Pending) -> Tensor:
    """The tensor itself."""
    fields = pending.__dict__
    if fields["_value"] is None:
        write = fields["_write"]
        write.check()
        write.site.meets_site = False
        with torch.set_grad_enabled(write.grad), _unhooked():
            settle(pending, write.run(write.states, write.y, write.kept))
    return _Look.apply(pending, fields["_value"]) if _adopted(pending) else fields["_value"]


def _hooked() -> bool:
    """Whether somebody watches what is saved for backward passes, as a checkpoint does."""
    top = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return top is None or top(False) is not None


def _unhooked() -> Any:
    """What is saved is not for whoever watches: the write was before."""
    same = (lambda tensor: tensor)
    return torch.autograd.graph.saved_tensors_hooks(same, same) if _hooked() else contextlib.nullcontext()


def unsettled(residuals: Tensor) -> Optional[Write]:
    """The write that is still to run, if these are such streams and it may run with others."""
    if not isinstance(residuals, Pending) or _adopted(residuals) or _hooked():
        return None
    return residuals.__dict__["_write"]


def shape_of(pending: Tensor) -> Tensor:
    """A tensor of its shape and type without elements: looking at these is no use of it."""
    with torch._C.DisableTorchFunctionSubclass():
        return torch.empty(pending.shape, dtype=pending.dtype, device="meta")


def settle(pending: Pending, value: Tensor, turned: bool = False) -> None:
    """It has run, and this came of it; turned: by the program that read it, too."""
    pending.__dict__.update(_write=None, _value=value, _turned=turned)


class _Last(threading.local):
    """What a site gave last in this thread, and the site."""

    streams: Callable[[], Optional[Tensor]] = staticmethod(lambda: None)
    site: Callable[[], Any] = staticmethod(lambda: None)


_last = _Last()


def given(site: Any, streams: Tensor) -> None:
    """Written at once; does a site read them next?"""
    if not torch.compiler.is_compiling() and site.meets_site is None:
        _last.streams, _last.site = weakref.ref(streams), weakref.ref(site)


def taken(residuals: Tensor) -> None:
    """By a site."""
    if _last.streams() is residuals:
        site = _last.site()
        if site is not None:
            site.meets_site = True


def allowed(site: Any) -> bool:
    """Whether its writes may wait."""
    if torch.compiler.is_compiling() or torch.is_inference_mode_enabled():  # which counts no changes
        return False
    told = os.environ.get("HCC_TURN")
    return told != "0" and (told == "1" or site.meets_site is True)
