"""Tensors as a compiled program takes them: what inputs and results are, and where their elements lie."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import torch
from torch import Tensor

from .._library import HcInput

_ALIGNED = 64


@dataclass(frozen=True)
class Argument:
    """An input or a result as a tensor. With `members` the tensor holds so many of the program's,
    folded into the samples: sample by sample the first, the second, ..., as "(b s) ... d" has streams."""

    name: str
    members: tuple[int, ...]  #: numbers of the program's inputs or results
    beside: bool  #: an input to whose gradient that which comes by other ways is added
    by_sample: bool
    by_position: bool
    dims: tuple[int, ...]
    dtype: torch.dtype  #: of its tensors, and of their gradients; int32: of integers
    differentiable: bool
    read_back: bool  #: whether the backward pass reads it, of results

    @property
    def is_integer(self) -> bool:
        return self.dtype == torch.int32

    @property
    def leading(self) -> int:
        """Axes before `dims`, positions as one."""
        return self.by_sample + self.by_position

    def shape(self, samples: int, positions: int) -> tuple[int, ...]:
        lead = (samples * len(self.members),) * self.by_sample + (positions,) * self.by_position
        return (*lead, *self.dims)


@dataclass(frozen=True)
class Parameter:
    """A parameter of the program: its path and shape, and whether it is trained."""

    name: str
    shape: tuple[int, ...]
    frozen: bool
    is_buffer: bool


def _dtype(element_size: int, is_integer: bool) -> torch.dtype:
    return torch.int32 if is_integer else {2: torch.bfloat16, 4: torch.float32, 8: torch.float64}[element_size]


def arguments_of(found: list[tuple[str, Any]], folded: Sequence[str]) -> tuple[Argument, ...]:
    """Those named "H.0", "H.1", ... as one "H" where that is folded."""
    numbers = {name: k for k, (name, _) in enumerate(found)}
    order: dict[str, list[str]] = {}
    for name in numbers:
        stem, _, last = name.rpartition(".")
        order.setdefault(stem if stem in folded and last.isdigit() else name, []).append(name)
    arguments = []
    for name, members in order.items():
        one = found[numbers[members[0]]][1]
        is_input = isinstance(one, HcInput)
        arguments.append(
            Argument(name, tuple(numbers[member] for member in members),
                     is_input and bool(one.has_beside),
                     bool(one.by_sample), bool(one.by_position), tuple(one.dims[:one.rank]),
                     _dtype(one.element_size, is_input and one.is_integer),
                     bool(one.has_gradient if is_input else one.takes_gradient),
                     any(found[numbers[member]][1].read_back for member in members) if not is_input else False))
    return tuple(arguments)


def _dense(tensor: Tensor, one: Argument) -> Tensor:
    """As the program can read it: the elements of a sample beside one another."""
    if tensor.is_contiguous():
        return tensor
    expected = 1
    for size, stride in zip(reversed(tensor.shape[one.by_sample:]), reversed(tensor.stride()[one.by_sample:])):
        if size != 1 and stride != expected:
            return tensor.contiguous()
        expected *= size
    return tensor if one.by_sample and tensor.stride(0) >= expected else tensor.contiguous()


@functools.lru_cache(maxsize=None)
def _array(of: Any, count: int) -> Any:
    """The type of a C array. (ctypes forgets one as soon as there is no such array, and making a type
    takes longer than a call.)"""
    return of * count


class Pointers:
    """Addresses and strides of the members of arguments, for as long as a call takes."""

    def __init__(self, count: int):
        self.at = _array(ctypes.c_void_p, count)()
        self.strides = _array(ctypes.c_int64, count)()
        self.kept: list[Tensor] = []

    def add(self, one: Argument, tensor: Tensor, members: tuple[int, ...]) -> None:
        tensor = _dense(tensor, one)
        self.kept.append(tensor)
        address = tensor.data_ptr()
        stride = tensor.stride(0) if one.by_sample else 0
        step = stride * tensor.element_size()
        for k, member in enumerate(members):
            self.at[member] = address + k * step
            self.strides[member] = stride * len(members)


def pointers(count: int, arguments: Sequence[Argument], tensors: Sequence[Optional[Tensor]],
              wanted: Optional[Sequence[bool]] = None) -> Pointers:
    found = Pointers(count)
    for k, (one, tensor) in enumerate(zip(arguments, tensors)):
        if tensor is not None and (wanted is None or wanted[k]):
            found.add(one, tensor, one.members)
    return found


def addresses(tensors: Sequence[Tensor], kept: list[Tensor], wanted: Optional[Sequence[bool]] = None) -> Any:
    at = _array(ctypes.c_void_p, len(tensors))()
    for k, tensor in enumerate(tensors):
        if wanted is None or wanted[k]:
            tensor = tensor.contiguous()
            kept.append(tensor)
            at[k] = tensor.data_ptr()
    return at


def aligned(saved: Tensor) -> Tensor:
    """Memory that somebody else moved may begin anywhere."""
    return saved if saved.data_ptr() % _ALIGNED == 0 else saved.clone()
