"""A compiled program called on tensors: `program(inputs, parameters) -> results`, within autograd.

All memory of a call is PyTorch's (hc_apply in runtime/hc.h): contiguous tensors of the program's element
type are read and written where they lie. Forward and backward are functional custom operators,
`torch.ops.hcc.forward` and `.backward`, so that whoever traces, checkpoints or casts treats them as any
other operator. They name a program by a number, which is good in this process.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import weakref
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import torch
from torch import Tensor

from .. import _errors
from .._library import HcApply, HcInput, HcParameter, HcResult, lib
from .._model import _Context
from .._program import Program
from ._blocks import Blocks

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
    is_integer: bool
    differentiable: bool
    read_back: bool  #: whether the backward pass reads it, of results

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


def _arguments(found: list[tuple[str, Any]], folded: Sequence[str]) -> tuple[Argument, ...]:
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
                     is_input and bool(one.is_integer), bool(one.has_gradient if is_input else one.takes_gradient),
                     any(found[numbers[member]][1].read_back for member in members) if not is_input else False))
    return tuple(arguments)


class Primitive:
    """A program for tensors. It may be called from several threads at once, each with memory of its
    own; in a child of a fork it makes that anew."""

    def __init__(self, program: Program, *, folded: Sequence[str] = (), threads: int = 0):
        """folded: names of inputs and results whose members "NAME.0", "NAME.1", ... are one tensor, in
        turns along the samples; threads: that work in a call (0: as many as PyTorch uses)."""
        self.program = program
        self._threads, self._folded = threads, tuple(folded)
        self._idle: list[_Context] = []
        self._blocks = Blocks()
        context = self._acquire()
        self.inputs = _arguments(list(self._listed(context, HcInput, lib.hc_input_count, lib.hc_input)), folded)
        self.results = _arguments(list(self._listed(context, HcResult, lib.hc_result_count, lib.hc_result)), folded)
        self.parameters = tuple(
            Parameter(name, tuple(one.dims[:one.rank]), one.frozen == 1, one.frozen == 2)
            for name, one in self._listed(context, HcParameter, lib.hc_parameter_count, lib.hc_parameter))
        self._release(context)
        self._n_inputs = sum(len(one.members) for one in self.inputs)
        self._n_results = sum(len(one.members) for one in self.results)
        self.dtype = torch.float64 if program.element == "f64" else torch.float32
        self.random = bool(program.manifest.get("random"))
        self.number = next(_numbers)
        _primitives[self.number] = self

    @staticmethod
    def _listed(context: _Context, kind: Any, count: Any, get: Any) -> Any:
        for k in range(count(context.handle)):
            one = kind()
            get(context.handle, k, one)
            yield one.name.decode(), one

    def __call__(self, inputs: Sequence[Tensor], parameters: Sequence[Tensor] = (), *, training: bool = True,
                 key: Optional[Tensor] = None) -> tuple[Tensor, ...]:
        """Runs it on tensors, in the order of `inputs` and `parameters`, and gives its results.

        Real tensors may be float16, bfloat16 or the program's type; results have the type of the first
        real input. Positions may be any number of axes, which results then have, too. key: of random
        numbers, an int64 tensor; None: drawn from PyTorch's generator where the program draws any.
        """
        return call(self, inputs, parameters, training, key)

    def __deepcopy__(self, memo: Any) -> "Primitive":
        return self  # nothing of it ever changes

    def __reduce__(self) -> Any:
        return _made_again, (self.program, self._folded, self._threads)

    # --- contexts -----------------------------------------------------------------------------------

    def _acquire(self) -> _Context:
        try:
            return self._idle.pop()
        except IndexError:
            return _Context(self.program, 1, 1, self._threads or torch.get_num_threads())

    def _release(self, context: _Context) -> None:
        self._idle.append(context)

    def _forget(self) -> None:
        """In the child of a fork: the threads of these are the parent's."""
        self._idle = []

    def _run(self, function: Any, apply: HcApply) -> None:
        context = self._acquire()
        status = function(context.handle, apply)
        if status != 0:
            message = lib.hc_last_error(context.handle).decode("utf-8", "replace")
            self._release(context)
            raise _errors.OF_STATUS[status](message)
        self._release(context)

    def saved_bytes(self, samples: int, positions: int) -> int:
        """What a call keeps for its backward pass; some memory there is even where it needs none."""
        context = self._acquire()
        size = lib.hc_saved_bytes(context.handle, samples, positions)
        self._release(context)
        return size

    # --- a call's memory ----------------------------------------------------------------------------

    def extents(self, inputs: Sequence[Tensor]) -> tuple[int, int]:
        """Samples and positions that the tensors have; 1 where none says so."""
        samples = positions = 1
        for one, tensor in zip(self.inputs, inputs):
            if one.by_sample:
                samples = tensor.shape[0] // len(one.members)
            if one.by_position:
                positions = tensor.shape[one.by_sample]
        return samples, positions

    def _empty(self, arguments: Sequence[Argument], samples: int, positions: int,
               wanted: Optional[Sequence[bool]] = None) -> list[Tensor]:
        return [
            torch.empty(one.shape(samples, positions) if wanted is None or wanted[k] else (0,), dtype=self.dtype)
            for k, one in enumerate(arguments)
        ]


def _made_again(program: Program, folded: tuple[str, ...], threads: int) -> Primitive:
    return Primitive(program, folded=folded, threads=threads)


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


class _Pointers:
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


def _pointers(count: int, arguments: Sequence[Argument], tensors: Sequence[Optional[Tensor]],
              wanted: Optional[Sequence[bool]] = None) -> _Pointers:
    pointers = _Pointers(count)
    for k, (one, tensor) in enumerate(zip(arguments, tensors)):
        if tensor is not None and (wanted is None or wanted[k]):
            pointers.add(one, tensor, one.members)
    return pointers


def _addresses(tensors: Sequence[Tensor], kept: list[Tensor], wanted: Optional[Sequence[bool]] = None) -> Any:
    at = _array(ctypes.c_void_p, len(tensors))()
    for k, tensor in enumerate(tensors):
        if wanted is None or wanted[k]:
            tensor = tensor.contiguous()
            kept.append(tensor)
            at[k] = tensor.data_ptr()
    return at


def _aligned(saved: Tensor) -> Tensor:
    """Memory that somebody else moved may begin anywhere."""
    return saved if saved.data_ptr() % _ALIGNED == 0 else saved.clone()


_numbers = itertools.count(1)
_primitives: "weakref.WeakValueDictionary[int, Primitive]" = weakref.WeakValueDictionary()


def _forget_all() -> None:
    for primitive in list(_primitives.values()):
        primitive._forget()


os.register_at_fork(after_in_child=_forget_all)


def _primitive(number: int) -> Primitive:
    found = _primitives.get(number)
    if found is None:
        raise _errors.ArgumentError("the program of this call is no more, or is another process's")
    return found


# --- the operators ------------------------------------------------------------------------------------

_library = torch.library.Library("hcc", "DEF")
_library.define("forward(int program, Tensor[] inputs, Tensor[] parameters, Tensor? key, bool training, bool save)"
                " -> Tensor[]")
_library.define("backward(int program, Tensor[] inputs, Tensor[] parameters, Tensor?[] results, Tensor saved, "
                "Tensor? key, bool training, Tensor?[] gradients, Tensor?[] beside, bool[] inputs_wanted, "
                "bool[] parameters_wanted) -> Tensor[]")


def _call(p: Primitive, inputs: _Pointers, parameters: Any, results: _Pointers, samples: int, positions: int,
          saved: Optional[Tensor], key: Optional[Tensor], training: bool) -> HcApply:
    return HcApply(samples=samples, positions=positions, inputs=inputs.at, input_strides=inputs.strides,
                   parameters=parameters, results=results.at, result_strides=results.strides,
                   saved=saved.data_ptr() if saved is not None else None,
                   random_key=int(key.item()) if key is not None else 0, training=training)


@torch.library.impl(_library, "forward", "CPU")
def _forward(program: int, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
             training: bool, save: bool) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    results = p._empty(p.results, samples, positions)
    size = p.saved_bytes(samples, positions) if save else 0
    saved = p._blocks.take(size) if size else torch.empty(0, dtype=torch.uint8)
    kept: list[Tensor] = []
    given = _pointers(p._n_inputs, p.inputs, inputs)
    made = _pointers(p._n_results, p.results, results)
    p._run(lib.hc_apply,
           _call(p, given, _addresses(parameters, kept), made, samples, positions, saved if save else None, key, training))
    return [*results, saved]


@torch.library.register_fake("hcc::forward", lib=_library)
def _forward_fake(program: int, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
                  training: bool, save: bool) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    size = p.saved_bytes(int(samples), int(positions)) if save else 0
    return [*p._empty(p.results, samples, positions), torch.empty(size, dtype=torch.uint8)]


@torch.library.impl(_library, "backward", "CPU")
def _backward(program: int, inputs: Sequence[Tensor], parameters: Sequence[Tensor],
              results: Sequence[Optional[Tensor]], saved: Tensor, key: Optional[Tensor], training: bool,
              gradients: Sequence[Optional[Tensor]], beside: Sequence[Optional[Tensor]],
              inputs_wanted: Sequence[bool], parameters_wanted: Sequence[bool]) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    kept: list[Tensor] = []
    saved = _aligned(saved)
    given, made = _pointers(p._n_inputs, p.inputs, inputs), _pointers(p._n_results, p.results, results)
    apply = _call(p, given, _addresses(parameters, kept), made, samples, positions, saved, key, training)
    upstream = _pointers(p._n_results, p.results, gradients)
    of_inputs = p._empty(p.inputs, samples, positions, inputs_wanted)
    of_parameters = [torch.empty(one.shape if wanted else (0,), dtype=p.dtype)
                     for one, wanted in zip(p.parameters, parameters_wanted)]
    downstream = _pointers(p._n_inputs, p.inputs, of_inputs, inputs_wanted)
    apply.result_gradients, apply.result_gradient_strides = upstream.at, upstream.strides
    others = _pointers(p._n_inputs, p.inputs, beside, [one.beside for one in p.inputs])
    apply.gradients_beside, apply.gradient_beside_strides = others.at, others.strides
    apply.input_gradients, apply.input_gradient_strides = downstream.at, downstream.strides
    apply.parameter_gradients = _addresses(of_parameters, kept, parameters_wanted)
    p._run(lib.hc_apply_backward, apply)
    return [*of_inputs, *of_parameters]


@torch.library.register_fake("hcc::backward", lib=_library)
def _backward_fake(program: int, inputs: Sequence[Tensor], parameters: Sequence[Tensor],
                   results: Sequence[Optional[Tensor]], saved: Tensor, key: Optional[Tensor], training: bool,
                   gradients: Sequence[Optional[Tensor]], beside: Sequence[Optional[Tensor]],
                   inputs_wanted: Sequence[bool], parameters_wanted: Sequence[bool]) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    return [*p._empty(p.inputs, samples, positions, inputs_wanted),
            *(torch.empty(one.shape if wanted else (0,), dtype=p.dtype)
              for one, wanted in zip(p.parameters, parameters_wanted))]


# --- autograd -----------------------------------------------------------------------------------------


def _keep(ctx: Any, p: Primitive, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
          training: bool, output: Sequence[Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.primitive = p  # whoever called it may be done with it before the backward pass
    ctx.training, ctx.has_key, ctx.counts = training, key is not None, (len(inputs), len(parameters))
    results = [one if mine.read_back else None for mine, one in zip(p.results, output)]
    ctx.save_for_backward(*inputs, *parameters, *results, output[-1], *([key] if key is not None else []))


def _gradients(ctx: Any, upstream: Sequence[Optional[Tensor]], needed: Sequence[bool]) -> list[Optional[Tensor]]:
    """Of inputs and parameters."""
    tensors = list(ctx.saved_tensors)
    key = tensors.pop() if ctx.has_key else None
    saved = tensors.pop()
    if not saved.numel():
        raise _errors.ArgumentError("a forward pass that saved nothing has no backward pass")
    n_inputs, n_parameters = ctx.counts
    n = n_inputs + n_parameters
    p = ctx.primitive
    of_inputs = [need and one.differentiable for need, one in zip(needed, p.inputs)]
    wanted = [*of_inputs, *needed[n_inputs:n]]
    found = torch.ops.hcc.backward(p.number, tensors[:n_inputs], tensors[n_inputs:n], tensors[n:], saved, key, ctx.training,
                                   list(upstream), [None] * n_inputs, of_inputs, wanted[n_inputs:])
    return [one if want else None for one, want in zip(found, wanted)]


class _Call(torch.autograd.Function):
    """A call as it is most often made: what is registered with the operator does the same, at several
    times the price."""

    @staticmethod
    def forward(ctx: Any, p: Primitive, key: Optional[Tensor], training: bool, *tensors: Tensor) -> Any:
        inputs, parameters = tensors[:len(p.inputs)], tensors[len(p.inputs):]
        output = torch.ops.hcc.forward(p.number, inputs, parameters, key, training, True)
        _keep(ctx, p, inputs, parameters, key, training, output)
        return tuple(output[:-1])

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        return (None, None, None, *_gradients(ctx, upstream, ctx.needs_input_grad[3:]))


def _keep_registered(ctx: Any, inputs: Any, output: Sequence[Tensor]) -> None:
    program, given, parameters, key, training, _ = inputs
    _keep(ctx, _primitive(program), given, parameters, key, training, output)


def _differentiate(ctx: Any, upstream: Sequence[Optional[Tensor]]) -> Any:
    found = _gradients(ctx, upstream[:-1], [*ctx.needs_input_grad[1], *ctx.needs_input_grad[2]])
    return None, found[:ctx.counts[0]], found[ctx.counts[0]:], None, None, None


def _refuse(ctx: Any, gradients: Any) -> Any:
    raise _errors.ArgumentError("a compiled program has no second derivative: its backward pass cannot be "
                                "differentiated (create_graph=True)")


torch.library.register_autograd("hcc::forward", _differentiate, setup_context=_keep_registered, lib=_library)
torch.library.register_autograd("hcc::backward", _refuse, lib=_library)


# --- calls --------------------------------------------------------------------------------------------


def _flat(one: Argument, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """The tensor as the operator takes it: positions as one axis, the program's element type."""
    if one.is_integer:
        if tensor.is_floating_point() or tensor.is_complex():
            raise _errors.ArgumentError(f"the input '{one.name}' takes integers, not {tensor.dtype}")
        tensor = tensor.clamp(-1, 2**31 - 1).to(torch.int32)  # what is out of range stays so, and is refused
    elif tensor.dtype != dtype:
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            raise _errors.ArgumentError(f"the input '{one.name}' is {tensor.dtype}, and the program computes in {dtype}: "
                                        "convert the one, or compile the other with precision='f64'")
        tensor = tensor.to(dtype)
    axes = tensor.dim() - len(one.dims)
    if axes < one.leading or (axes > one.leading and not one.by_position) or \
            tuple(tensor.shape[axes:]) != one.dims:
        raise _errors.ArgumentError(f"the input '{one.name}' is {_expected(one)}, not {list(tensor.shape)}")
    if axes > one.leading:
        tensor = tensor.flatten(int(one.by_sample), axes - 1)
    return tensor


def _expected(one: Argument) -> str:
    lead = (["samples" if len(one.members) == 1 else f"samples x {len(one.members)}"] * one.by_sample +
            ["positions"] * one.by_position)
    return "[" + ", ".join([*lead, *map(str, one.dims)]) + "]"


def _check(p: Primitive, tensors: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
    for mine, tensor in zip(p.parameters, parameters):
        if tuple(tensor.shape) != mine.shape:
            raise _errors.ArgumentError(f"the parameter '{mine.name}' is {list(mine.shape)}, not {list(tensor.shape)}")
    samples, positions = p.extents(tensors)
    for one, tensor in zip(p.inputs, tensors):
        if tuple(tensor.shape) != one.shape(samples, positions):
            raise _errors.ArgumentError(f"the input '{one.name}' is {list(tensor.shape)}; with the others it is "
                                        f"{list(one.shape(samples, positions))}")


def flat_inputs(p: Primitive, inputs: Sequence[Tensor],
                parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Both as the operators take them."""
    if len(inputs) != len(p.inputs) or len(parameters) != len(p.parameters):
        raise _errors.ArgumentError(f"the program takes {len(p.inputs)} inputs and {len(p.parameters)} parameters, "
                                    f"not {len(inputs)} and {len(parameters)}")
    for tensor in (*inputs, *parameters):
        if tensor.device.type != "cpu":
            raise _errors.ArgumentError(f"a compiled program runs on the CPU, and not on {tensor.device}")
    flat = [_flat(one, tensor, p.dtype) for one, tensor in zip(p.inputs, inputs)]
    _check(p, flat, parameters)
    return flat, [tensor if tensor.dtype == p.dtype else tensor.to(p.dtype) for tensor in parameters]


def shaped_results(p: Primitive, results: Sequence[Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What the forward operator gave, as its caller has the inputs."""
    return tuple(_shaped(p, one, tensor, inputs) for one, tensor in zip(p.results, results))


def call(p: Primitive, inputs: Sequence[Tensor], parameters: Sequence[Tensor], training: bool,
         key: Optional[Tensor]) -> tuple[Tensor, ...]:
    flat, values = flat_inputs(p, inputs, parameters)
    if key is None and p.random and training:
        key = torch.randint(2**62, (), dtype=torch.int64)
    save = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (*flat, *values))
    if save and not torch.compiler.is_compiling():
        return shaped_results(p, _Call.apply(p, key, training, *flat, *values), inputs)
    return shaped_results(p, torch.ops.hcc.forward(p.number, flat, values, key, training, save), inputs)


def _shaped(p: Primitive, one: Argument, tensor: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """A result with the axes of positions that the inputs have, and their type."""
    like = next((given for mine, given in zip(p.inputs, inputs) if not mine.is_integer), None)
    by_position = next((k for k, mine in enumerate(p.inputs) if mine.by_position), None)
    if one.by_position and by_position is not None:
        mine, given = p.inputs[by_position], inputs[by_position]
        axes = given.shape[int(mine.by_sample):given.dim() - len(mine.dims)]
        if len(axes) != 1:
            tensor = tensor.unflatten(int(one.by_sample), axes)
    return tensor if like is None or like.dtype == tensor.dtype else tensor.to(like.dtype)
