"""A compiled program called on tensors: `program(inputs, parameters) -> results`, within autograd.

All memory of a call is PyTorch's (hc_apply in runtime/hc.h): contiguous tensors of the program's element
type are read and written where they lie. Forward and backward are functional custom operators,
`torch.ops.hcc.forward` and `.backward`, and a call is `torch.ops.hcc.call`, which takes them together for
autograd: so whoever traces, checkpoints or casts treats it as any other operator. They name a program by
a text, its handle.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import weakref
from typing import Any, Optional, Sequence

import torch
from torch import Tensor

from .. import _errors
from .._library import HcApply, HcInput, HcParameter, HcResult, lib
from .._model import _Context
from .._program import Program
from ._arguments import Argument, Parameter, Pointers, addresses, aligned, arguments_of, pointers
from ._blocks import Blocks


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
        self.inputs = arguments_of(list(self._listed(context, HcInput, lib.hc_input_count, lib.hc_input)), folded)
        self.results = arguments_of(list(self._listed(context, HcResult, lib.hc_result_count, lib.hc_result)), folded)
        self.parameters = tuple(
            Parameter(name, tuple(one.dims[:one.rank]), one.frozen == 1, one.frozen == 2)
            for name, one in self._listed(context, HcParameter, lib.hc_parameter_count, lib.hc_parameter))
        self._release(context)
        self._n_inputs = sum(len(one.members) for one in self.inputs)
        self._n_results = sum(len(one.members) for one in self.results)
        self.dtype = torch.float64 if program.element == "f64" else torch.float32
        self.random = bool(program.manifest.get("random"))
        self.handle = _registered(self)  #: what operators know it by

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
            torch.empty(one.shape(samples, positions) if wanted is None or wanted[k] else (0,), dtype=one.dtype)
            for k, one in enumerate(arguments)
        ]


def _made_again(program: Program, folded: tuple[str, ...], threads: int) -> Primitive:
    return Primitive(program, folded=folded, threads=threads)


_primitives: "weakref.WeakValueDictionary[str, Primitive]" = weakref.WeakValueDictionary()


def _registered(p: Primitive) -> str:
    """A handle of its own. It says what the program is, so that graphs which somebody keeps on disk mean
    the same program in another process, and one whose results and savings are as large."""
    content = repr((p.program._again[1], p.program.manifest, p._folded, p._threads))
    stem = f"{p.program.name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    for k in itertools.count():
        handle = f"{stem}.{k}"
        if _primitives.setdefault(handle, p) is p:
            return handle
    raise AssertionError


def _primitive(handle: str) -> Primitive:
    found = _primitives.get(handle)
    if found is None:
        raise _errors.ArgumentError(f"the program of this call, {handle}, is no more, or is another process's")
    return found


def _forget_all() -> None:
    for primitive in list(_primitives.values()):
        primitive._forget()


os.register_at_fork(after_in_child=_forget_all)


# --- the operators ------------------------------------------------------------------------------------

_library = torch.library.Library("hcc", "DEF")
_library.define("forward(str program, Tensor[] inputs, Tensor[] parameters, Tensor? key, bool training, bool save)"
                " -> Tensor[]")
_library.define("backward(str program, Tensor[] inputs, Tensor[] parameters, Tensor?[] results, Tensor saved, "
                "Tensor? key, bool training, Tensor?[] gradients, Tensor?[] beside, bool[] inputs_wanted, "
                "bool[] parameters_wanted) -> Tensor[]")


def _described(p: Primitive, inputs: Pointers, parameters: Any, results: Pointers, samples: int, positions: int,
               saved: Optional[Tensor], key: Optional[Tensor], training: bool) -> HcApply:
    return HcApply(samples=samples, positions=positions, inputs=inputs.at, input_strides=inputs.strides,
                   parameters=parameters, results=results.at, result_strides=results.strides,
                   saved=saved.data_ptr() if saved is not None else None,
                   random_key=int(key.item()) if key is not None else 0, training=training,
                   step=0, steps=1)  # whoever trains it tells no steps


@torch.library.impl(_library, "forward", "CPU")
def _forward(program: str, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
             training: bool, save: bool) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    results = p._empty(p.results, samples, positions)
    size = p.saved_bytes(samples, positions) if save else 0
    saved = p._blocks.take(size) if size else torch.empty(0, dtype=torch.uint8)
    kept: list[Tensor] = []
    given = pointers(p._n_inputs, p.inputs, inputs)
    made = pointers(p._n_results, p.results, results)
    p._run(lib.hc_apply,
           _described(p, given, addresses(parameters, kept), made, samples, positions, saved if save else None, key, training))
    return [*results, saved]


@torch.library.register_fake("hcc::forward", lib=_library)
def _forward_fake(program: str, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
                  training: bool, save: bool) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    size = p.saved_bytes(int(samples), int(positions)) if save else 0
    return [*p._empty(p.results, samples, positions), torch.empty(size, dtype=torch.uint8)]


@torch.library.impl(_library, "backward", "CPU")
def _backward(program: str, inputs: Sequence[Tensor], parameters: Sequence[Tensor],
              results: Sequence[Optional[Tensor]], saved: Tensor, key: Optional[Tensor], training: bool,
              gradients: Sequence[Optional[Tensor]], beside: Sequence[Optional[Tensor]],
              inputs_wanted: Sequence[bool], parameters_wanted: Sequence[bool]) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    kept: list[Tensor] = []
    saved = aligned(saved)
    given, made = pointers(p._n_inputs, p.inputs, inputs), pointers(p._n_results, p.results, results)
    apply = _described(p, given, addresses(parameters, kept), made, samples, positions, saved, key, training)
    upstream = pointers(p._n_results, p.results, gradients)
    of_inputs = p._empty(p.inputs, samples, positions, inputs_wanted)
    of_parameters = [torch.empty(one.shape if wanted else (0,), dtype=p.dtype)
                     for one, wanted in zip(p.parameters, parameters_wanted)]
    downstream = pointers(p._n_inputs, p.inputs, of_inputs, inputs_wanted)
    apply.result_gradients, apply.result_gradient_strides = upstream.at, upstream.strides
    others = pointers(p._n_inputs, p.inputs, beside, [one.beside for one in p.inputs])
    apply.gradients_beside, apply.gradient_beside_strides = others.at, others.strides
    apply.input_gradients, apply.input_gradient_strides = downstream.at, downstream.strides
    apply.parameter_gradients = addresses(of_parameters, kept, parameters_wanted)
    p._run(lib.hc_apply_backward, apply)
    return [*of_inputs, *of_parameters]


@torch.library.register_fake("hcc::backward", lib=_library)
def _backward_fake(program: str, inputs: Sequence[Tensor], parameters: Sequence[Tensor],
                   results: Sequence[Optional[Tensor]], saved: Tensor, key: Optional[Tensor], training: bool,
                   gradients: Sequence[Optional[Tensor]], beside: Sequence[Optional[Tensor]],
                   inputs_wanted: Sequence[bool], parameters_wanted: Sequence[bool]) -> list[Tensor]:
    p = _primitive(program)
    samples, positions = p.extents(inputs)
    return [*p._empty(p.inputs, samples, positions, inputs_wanted),
            *(torch.empty(one.shape if wanted else (0,), dtype=p.dtype)
              for one, wanted in zip(p.parameters, parameters_wanted))]


# --- autograd -----------------------------------------------------------------------------------------

_library.define("call(str program, Tensor[] inputs, Tensor[] parameters, Tensor? key, bool training, bool through)"
                " -> Tensor[]")


class _Call(torch.autograd.Function):
    """Forward and backward of a program. With `through` the first input is given once more, after the
    results: what its gradient is by other ways comes back through here, and is added where the program
    makes its own."""

    @staticmethod
    def forward(ctx: Any, p: Primitive, key: Optional[Tensor], training: bool, through: bool, *tensors: Tensor) -> Any:
        inputs, parameters = tensors[:len(p.inputs)], tensors[len(p.inputs):]
        *results, saved = torch.ops.hcc.forward(p.handle, inputs, parameters, key, training, True)
        ctx.set_materialize_grads(False)
        ctx.primitive = p  # whoever called it may be done with it before the backward pass
        ctx.training, ctx.through, ctx.has_key = training, through, key is not None
        read_back = [one if mine.read_back else None for mine, one in zip(p.results, results)]
        ctx.save_for_backward(*tensors, *read_back, saved, *([key] if key is not None else []))
        return (*results, *inputs[:int(through)])

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        p, tensors, needed = ctx.primitive, list(ctx.saved_tensors), ctx.needs_input_grad[4:]
        key = tensors.pop() if ctx.has_key else None
        saved = tensors.pop()
        given, count = len(p.inputs), len(needed)
        of_inputs = [need and one.differentiable for need, one in zip(needed, p.inputs)]
        wanted = [*of_inputs, *needed[given:]]
        beside = [upstream[-1] if ctx.through and k == 0 else None for k in range(given)]
        found = torch.ops.hcc.backward(p.handle, tensors[:given], tensors[given:count], tensors[count:], saved, key,
                                       ctx.training, list(upstream[:len(p.results)]), beside, of_inputs, wanted[given:])
        return (None, None, None, None, *(one if want else None for one, want in zip(found, wanted)))


def _refuse(ctx: Any, gradients: Any) -> Any:
    raise _errors.ArgumentError("a compiled program has no second derivative: its backward pass cannot be "
                                "differentiated (create_graph=True)")


torch.library.register_autograd("hcc::backward", _refuse, lib=_library)


# --- calls --------------------------------------------------------------------------------------------


def _flat(one: Argument, tensor: Tensor) -> Tensor:
    """The tensor as the operator takes it: positions as one axis, elements of the argument's type."""
    if one.is_integer:
        if tensor.is_floating_point() or tensor.is_complex():
            raise _errors.ArgumentError(f"the input '{one.name}' takes integers, not {tensor.dtype}")
        tensor = tensor.clamp(-1, 2**31 - 1).to(torch.int32)  # what is out of range stays so, and is refused
    elif not tensor.is_floating_point():
        raise _errors.ArgumentError(f"the input '{one.name}' takes real numbers, not {tensor.dtype}")
    elif tensor.dtype != one.dtype:
        if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32):
            raise _errors.ArgumentError(f"the input '{one.name}' is {tensor.dtype}, and the program takes {one.dtype}: "
                                        "convert the one, or compile the other with precision='f64'")
        tensor = tensor.to(one.dtype)
    axes = tensor.dim() - len(one.dims)
    if axes < one.leading or (axes > one.leading and not one.by_position) or \
            tuple(tensor.shape[axes:]) != one.dims:
        raise _errors.ArgumentError(f"the input '{one.name}' is {_expected(one)}, not {list(tensor.shape)}")
    if one.by_sample and tensor.shape[0] % len(one.members):
        raise _errors.ArgumentError(f"the input '{one.name}' has {len(one.members)} tensors for each sample, and "
                                    f"{tensor.shape[0]} in all")
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


def _flat_inputs(p: Primitive, inputs: Sequence[Tensor],
                parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Both as the operators take them."""
    if len(inputs) != len(p.inputs) or len(parameters) != len(p.parameters):
        raise _errors.ArgumentError(f"the program takes {len(p.inputs)} inputs and {len(p.parameters)} parameters, "
                                    f"not {len(inputs)} and {len(parameters)}")
    for tensor in (*inputs, *parameters):
        if tensor.device.type != "cpu":
            raise _errors.ArgumentError(f"a compiled program runs on the CPU, and not on {tensor.device}")
    flat = [_flat(one, tensor) for one, tensor in zip(p.inputs, inputs)]
    _check(p, flat, parameters)
    return flat, [tensor if tensor.dtype == p.dtype else tensor.to(p.dtype) for tensor in parameters]


@torch.library.impl(_library, "call", "CompositeImplicitAutograd")
def _called(program: str, inputs: Sequence[Tensor], parameters: Sequence[Tensor], key: Optional[Tensor],
            training: bool, through: bool) -> list[Tensor]:
    p = _primitive(program)
    flat, values = _flat_inputs(p, inputs, parameters)
    if key is None and p.random and training:
        key = torch.randint(2**62, (), dtype=torch.int64)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (*flat, *values)):
        found = _Call.apply(p, key, training, through, *flat, *values)
    else:
        *results, _ = torch.ops.hcc.forward(program, flat, values, key, training, False)
        found = (*results, *flat[:int(through)])
    if through:  # in the program's type, as the results
        inputs = [found[-1].view(inputs[0].shape)]
    results = [_shaped(p, one, tensor, inputs) for one, tensor in zip(p.results, found)]
    return [*results, *(inputs if through else [])]


def call(p: Primitive, inputs: Sequence[Tensor], parameters: Sequence[Tensor], training: bool = True,
         key: Optional[Tensor] = None, through: bool = False) -> tuple[Tensor, ...]:
    """The program's results. With `through` its one input comes once more after them, for whatever else
    reads it: what its gradient is by these ways is added where the program makes its own; all are of the
    program's type then."""
    # Who traces finds an operator; else the way through PyTorch's dispatcher would be a cost.
    run = torch.ops.hcc.call if torch.compiler.is_compiling() else _called
    return tuple(run(p.handle, list(inputs), list(parameters), key, training, through))


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
