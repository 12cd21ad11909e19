"""A model with its memory: parameters, gradients, inputs, and what is done with them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _bf16, _errors
from ._library import HcError, HcInput, HcOptions, HcParameter, HcResult, HcSpace, HcView, lib
from ._program import Program, Source

Array = NDArray[Any]
_DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}


class _Context:
    """Owns a HcContext, and keeps the code that it runs."""

    def __init__(self, program: Program, samples: int, positions: int, threads: int):
        self.program = program
        self.handle: Optional[int] = None
        options, error, handle = HcOptions(threads, samples, positions), HcError(), ctypes.c_void_p()
        status = lib.hc_create(program._address, options, handle, error)
        if status != 0:
            raise _errors.OF_STATUS[status](error.message.decode("utf-8", "replace"))
        self.handle = handle.value

    def __del__(self, destroy: Any = lib.hc_destroy) -> None:
        destroy(self.handle)


class _Memory:
    """A stretch of a context's memory as NumPy takes it; the array keeps this, and this the context."""

    def __init__(self, context: _Context, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.context = context
        self.__array_interface__ = {"version": 3, "data": (address, False), "shape": shape, "typestr": dtype.str}


class Arrays(Mapping[str, Array]):
    """Arrays by name, each asked for when it is looked at. What is no name is told the nearest."""

    def __init__(self, names: Callable[[], list[str]], get: Callable[[str], Array], what: str):
        self._names, self._get, self._what = names, get, what

    def __getitem__(self, name: str) -> Array:
        if name not in self._names():
            raise KeyError(_unknown(self._what, name, self._names()))
        return self._get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def __repr__(self) -> str:
        return f"<{len(self)} {self._what}s: {', '.join(self)}>"


def _unknown(what: str, name: str, names: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, 1)
    return f"there is no {what} '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")


@dataclass(frozen=True)
class Input:
    """What a model is given. `shape` is that of its array at the model's present extents."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  #: int32, or what the model computes in
    limit: Optional[int]  #: integers lie in 0 .. limit - 1
    is_target: bool


@dataclass(frozen=True)
class Site:
    """A place in a trunk where a connection stands around a branch."""

    path: str
    connection: str
    branch: str
    site: int  #: number of the site in the trunk, from 0
    block: int


class Model:
    """A model in memory of its own, ready to be run and trained.

    All arrays are of the model's element type (float32, or float64 with `precision="f64"`) but for integer
    inputs, which are int32. A model is used by one thread at a time; different models are independent.
    Other Python threads run while compiled code does.

    It is freed when nothing refers to it any more, or with `close()` and `with`. Arrays that
    `parameters` and `gradients` gave stay good for as long as they are held, even then.
    """

    def __init__(self, program: Program, *, samples: int = 0, positions: int = 0, threads: int = 0):
        """samples, positions: the extents to prepare for (0: the recipe's batch, the model's most);
        threads: that work, the caller's included (0: as many as the process may use)."""
        self.program = program
        self._context: Optional[_Context] = _Context(program, samples, positions, threads)
        self._inputs = {one["name"]: one for one in program.manifest["inputs"] if "upstream" not in one}
        self._places = {self._parameter(k).name.decode(): k for k in range(lib.hc_parameter_count(self._handle))}

    # --- the C interface --------------------------------------------------------------------------

    @property
    def _handle(self) -> int:
        if self._context is None or self._context.handle is None:
            raise _errors.ArgumentError("the model is closed")
        return self._context.handle

    def _do(self, function: Callable[..., int], *arguments: Any) -> None:
        handle = self._handle
        status = function(handle, *arguments)
        if status != 0:
            raise _errors.OF_STATUS[status](lib.hc_last_error(handle).decode("utf-8", "replace"))

    def close(self) -> None:
        """Lets go of the memory; what arrays of it are held stays until they go. Twice is fine."""
        self._context = None

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._context is None:
            return f"<hcc.Model {self.name}, closed>"
        return (f"<hcc.Model {self.name}, {self.program.precision}, {self.samples} x {self.positions} positions, "
                f"{sum(a.size for a in self.parameters.values())} parameters>")

    # --- what it is -------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def manifest(self) -> dict[str, Any]:
        """docs/manifest.md says what is in it."""
        return self.program.manifest

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return _DTYPES[self.program.element]

    @property
    def samples(self) -> int:
        """Of the batch."""
        return lib.hc_samples(self._handle)

    @property
    def positions(self) -> int:
        """Of a sample."""
        return lib.hc_positions(self._handle)

    @property
    def max_positions(self) -> int:
        """The most that a sample may have; 0: the model has no positions."""
        return lib.hc_max_positions(self._handle)

    @property
    def threads(self) -> int:
        return lib.hc_threads(self._handle)

    @property
    def memory_bytes(self) -> int:
        """All that is allocated."""
        return lib.hc_memory_bytes(self._handle)

    @property
    def sites(self) -> list[Site]:
        """The places where connections stand, in the order of the trunk."""
        return [Site(one["path"], one["connection"], one["branch"], one["site"], one["block"])
                for one in self.manifest.get("sites", [])]

    @property
    def spaces(self) -> dict[str, int]:
        """Positions of a sample, by the name of their space; the first one's are `positions`."""
        found = {}
        for k in range(lib.hc_space_count(self._handle)):
            space = HcSpace()
            self._do(lib.hc_space, k, space)
            found[space.name.decode()] = space.positions
        return found

    def resize(self, samples: int, positions: int = 0, **spaces: int) -> None:
        """Prepares for another batch (positions 0: the model's most). Inputs are undefined then.
        Further spaces of positions keep theirs, unless they are given by name."""
        names = list(self.spaces)
        for name in spaces:
            if name not in names:
                raise _errors.ArgumentError(_unknown("space of positions", name, names))
        self._do(lib.hc_resize, samples, spaces.get(names[0], positions) if names else positions)
        for name, count in spaces.items():
            self._do(lib.hc_resize_space, names.index(name), count)

    # --- parameters -------------------------------------------------------------------------------

    def _parameter(self, index: int) -> HcParameter:
        parameter = HcParameter()
        self._do(lib.hc_parameter, index, parameter)
        return parameter

    def _view(self, name: str, gradient: bool) -> Array:
        parameter = self._parameter(self._places[name])
        assert self._context is not None
        shape = tuple(parameter.dims[:parameter.rank])
        address = parameter.gradient if gradient else parameter.data
        return np.asarray(_Memory(self._context, address, shape, self.dtype))

    @property
    def parameters(self) -> Arrays:
        """By name ("trunk.3.attn.Wq"), as views: what is written into them is what the model has."""
        return Arrays(lambda: list(self._places), lambda name: self._view(name, False), "parameter")

    @property
    def gradients(self) -> Arrays:
        """Of the parameters, by the same names, as views; filled by `backward`."""
        return Arrays(lambda: list(self._places), lambda name: self._view(name, True), "parameter")

    def init(self, seed: int = 1) -> None:
        """Draws every parameter anew, and forgets the optimiser's state."""
        self._do(lib.hc_init, seed)

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters, by name."""
        return {name: array.copy() for name, array in self.parameters.items()}

    def load_state_dict(self, state: Mapping[str, ArrayLike], strict: bool = True) -> None:
        """Takes parameters by name, of any real type (tensors, too). strict: exactly the model's.
        Nothing changes where one does not fit."""
        parameters = dict(self.parameters)
        lacking, foreign = parameters.keys() - state.keys(), state.keys() - parameters.keys()
        if strict and (lacking or foreign):
            said = [f"lacks {', '.join(sorted(lacking))}"] * bool(lacking)
            said += [f"has {', '.join(sorted(foreign))}, which the model has not"] * bool(foreign)
            raise _errors.CheckpointError("the state " + " and ".join(said))
        taken = {name: np.asarray(state[name]) for name in parameters if name in state}
        for name, array in taken.items():
            if array.shape != parameters[name].shape:
                raise _errors.CheckpointError(
                    f"'{name}' is {list(array.shape)} in the state, {list(parameters[name].shape)} in the model")
        for name, array in taken.items():
            parameters[name][...] = array

    # --- running ----------------------------------------------------------------------------------

    @property
    def inputs(self) -> dict[str, Input]:
        """What `set_input` takes, by name."""
        found = {}
        for k in range(lib.hc_input_count(self._handle)):
            one = HcInput()
            self._do(lib.hc_input, k, one)
            name = one.name.decode()
            dtype = np.dtype(np.int32) if one.is_integer else self.dtype
            found[name] = Input(name, self._shape(name, self.samples, self.positions), dtype,
                                one.limit if one.is_integer else None, bool(one.is_target))
        return found

    def _shape(self, name: str, samples: int, positions: int) -> tuple[int, ...]:
        one = self._inputs[name]
        lead: tuple[int, ...] = (samples,) if one["domain"].startswith(("position", "sample")) else ()
        space = self._space(name)
        if space == 0:
            lead += (positions,)
        elif space is not None:
            lead += (list(self.spaces.values())[space],)
        return (*lead, *one["dims"])

    def _space(self, name: str) -> Optional[int]:
        """The number of the space of positions that an input lives at, from 0."""
        domain = self._inputs[name]["domain"]
        if not domain.startswith(("position", "time")):
            return None
        return int(domain.lstrip("positonme") or 1) - 1

    def set_input(self, name: str, values: ArrayLike) -> None:
        """Copies an array to the input: [samples, positions, ...], [samples, ...] or [...] as
        `inputs[name].shape` says. Integers may be of any integer type, reals of any real one."""
        self._know_input(name)
        array = self._as_input(name, values)
        shape = self._shape(name, self.samples, self.positions)
        if array.size != int(np.prod(shape)) or not self._fits(name, array.shape, shape):
            raise _errors.ArgumentError(f"the input '{name}' is {list(shape)}, not {list(array.shape)}")
        array = self._stored(array, 2 if self._inputs[name]["element"] == "bf16" else array.itemsize)
        self._do(lib.hc_set_input, name.encode(), array.ctypes.data, array.size)

    @staticmethod
    def _stored(array: Array, element_size: int) -> Array:
        return _bf16.to_bits(array) if element_size == 2 else array

    def _know_input(self, name: str) -> None:
        if name not in self._inputs:
            raise _errors.ArgumentError(_unknown("input", name, list(self._inputs)))

    def _as_input(self, name: str, values: ArrayLike) -> Array:
        array = np.asarray(values)
        if self._inputs[name]["element"] != "i32":
            if array.dtype.kind not in "fiub":
                raise _errors.ArgumentError(f"the input '{name}' takes real numbers, not {array.dtype}")
            return np.ascontiguousarray(array, self.dtype)
        if array.dtype.kind not in "iub":
            raise _errors.ArgumentError(f"the input '{name}' takes integers, not {array.dtype}")
        if array.size and (array.min() < 0 or array.max() >= 2**31):
            raise _errors.DataError(f"the input '{name}' has an integer beyond 0 .. {self._inputs[name]['limit'] - 1}")
        return np.ascontiguousarray(array, np.int32)

    def _fits(self, name: str, given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
        """Positions of a picture may be given as its rows and columns."""
        if given == shape:
            return True
        spaces = [self.manifest.get("space"), *self.manifest.get("further_spaces", [])]
        which = self._space(name)
        if which is None or not spaces[which]:
            return False
        return given == (shape[0], *spaces[which]["extents"], *shape[2:])

    def _take(self, inputs: Mapping[str, ArrayLike]) -> None:
        """Sets inputs, for the extents that the arrays have."""
        samples, spaces = self.samples, self.spaces
        names = list(spaces)
        for name, values in inputs.items():
            self._know_input(name)
            shape, space = np.shape(values), self._space(name)
            if self._inputs[name]["domain"].startswith(("position", "sample")) and shape:
                samples = shape[0]
            if space is not None and names and len(shape) == 2 + len(self._inputs[name]["dims"]):
                spaces[names[space]] = shape[1]
        if samples != self.samples or spaces != self.spaces:
            lacking = [name for name in self._inputs if name not in inputs]
            if lacking:
                raise _errors.ArgumentError(
                    f"a batch of another size needs all inputs anew: {', '.join(lacking)} is not given")
            self.resize(samples, self.positions, **spaces)
        for name, values in inputs.items():
            self.set_input(name, values)

    @property
    def training(self) -> bool:
        """Whether forward passes are those of training (dropout is on); at first they are."""
        return bool(lib.hc_training(self._handle))

    @training.setter
    def training(self, on: bool) -> None:
        lib.hc_set_training(self._handle, bool(on))

    def forward(self, **inputs: ArrayLike) -> None:
        """Runs the forward pass, on inputs given here or set before. Arrays of another number of
        samples or positions than before resize the model; then all inputs are given."""
        self._take(inputs)
        self._do(lib.hc_forward)

    def backward(self, **upstream: ArrayLike) -> None:
        """After `forward`: the gradient of the loss for every parameter that has one, in `gradients`.
        It replaces earlier ones. Of a program without a loss: from the gradients of its results, given
        here by name; those that are not given are zero."""
        results = self._results()
        for name in upstream:
            if name not in results:
                raise _errors.ArgumentError(_unknown("result", name, results))
        for k, name in enumerate(results):
            shape = self.outputs[name].shape
            values = np.ascontiguousarray(upstream.get(name, np.zeros(shape, self.dtype)), self.dtype)
            if values.shape != shape:
                raise _errors.ArgumentError(f"the result '{name}' is {list(shape)}, not {list(values.shape)}")
            one = HcResult()
            self._do(lib.hc_result, k, one)
            stored = self._stored(values, one.element_size)
            self._do(lib.hc_set_result_gradient, k, stored.ctypes.data, stored.size)
        self._do(lib.hc_backward)

    def _results(self) -> list[str]:
        return [one["name"] for one in self.manifest["plan"]["outputs"].get("results", [])]

    @property
    def input_gradients(self) -> Arrays:
        """After `backward` of a program without a loss: of its real inputs, by name, as copies."""
        names = list(self.inputs)
        given = [name for name in names if self._inputs[name]["element"] != "i32"]

        def get(name: str) -> Array:
            view = HcView()
            self._do(lib.hc_input_gradient, names.index(name), view)
            return self._copy(view)

        return Arrays(lambda: given, get, "input")

    def parameters_unchanged(self) -> None:
        """Tells the next pass that nobody wrote to `parameters` since the last one: what products made of
        weights serves them again. Without it every pass makes that anew."""
        lib.hc_parameters_unchanged(self._handle)

    def forward_backward(self, **inputs: ArrayLike) -> float:
        """Both in one, with the same results and often faster; returns the loss."""
        self._take(inputs)
        self._do(lib.hc_forward_backward)
        return self.loss

    @property
    def loss(self) -> float:
        """Of the last forward pass, a mean over the batch. Not finite is a value, not an error."""
        loss = ctypes.c_double()
        self._do(lib.hc_loss, loss)
        return loss.value

    def zero_grad(self) -> None:
        self._do(lib.hc_zero_grad)

    @property
    def outputs(self) -> Arrays:
        """After `forward`: "loss", "logits", metrics, probes and results by name, as copies of the shape
        [samples, positions, ...], without those that a value does not have."""
        return Arrays(self._output_names, self._output, "output")

    def _output_names(self) -> list[str]:
        outputs = self.manifest["plan"]["outputs"]
        names = [name for name in ("loss", "logits") if outputs.get(name) is not None]
        return names + [one["name"] for kind in ("metrics", "probes", "results")
                        for one in outputs.get(kind, [])]

    def _copy(self, view: HcView) -> Array:
        assert self._context is not None
        shape = tuple(view.dims[:view.rank])
        if view.element_size == 2:
            return _bf16.from_bits(np.asarray(_Memory(self._context, view.data, shape, np.dtype(np.uint16))))
        return np.array(_Memory(self._context, view.data, shape, self.dtype))

    def _output(self, name: str) -> Array:
        view = HcView()
        self._do(lib.hc_output, name.encode(), view)
        return self._copy(view)

    def extend(self, first: int, count: int = 1) -> Array:
        """Runs positions first .. first + count - 1 of the one sample, those before having been run,
        and returns the logits of the last (runtime/hc.h, hc_extend)."""
        self._do(lib.hc_extend, first, count)
        view = HcView()
        self._do(lib.hc_extended_logits, view)
        return self._copy(view)

    # --- optimiser --------------------------------------------------------------------------------

    def step(self, lr: Optional[float] = None) -> None:
        """Clips, applies one step of the recipe's optimiser and counts it. lr None: the schedule's.
        Nothing changes where a gradient is not finite: `DivergedError`."""
        self._do(lib.hc_step, -1.0 if lr is None else lr)

    def project(self) -> None:
        """Holds parameters to the model's constraints, as `init` and `step` do by themselves: for
        whoever changes them otherwise."""
        self._do(lib.hc_project)

    @property
    def steps_done(self) -> int:
        return lib.hc_steps_done(self._handle)

    @steps_done.setter
    def steps_done(self, steps: int) -> None:
        """How many steps the parameters have had: what a model's `step` is while training."""
        self._do(lib.hc_set_steps_done, steps)

    @property
    def gradient_norm(self) -> float:
        """Before clipping, of the last `step`."""
        return lib.hc_gradient_norm(self._handle)

    def schedule_lr(self, step: int) -> float:
        """The recipe's learning rate of a step, counted from 0."""
        return lib.hc_schedule_lr(self._handle, step)

    def set_recipe(self, key: str, value: object) -> None:
        """Changes a value of the recipe: "lr", "steps", "clip", ..."""
        self._do(lib.hc_set_recipe, key.encode(), str(value).encode())

    @property
    def uses_ema(self) -> bool:
        """Whether forward passes read the average of the parameters over the steps so far."""
        return bool(lib.hc_uses_ema(self._handle))

    @uses_ema.setter
    def uses_ema(self, on: bool) -> None:
        self._do(lib.hc_use_ema, bool(on))

    # --- files ------------------------------------------------------------------------------------

    def save(self, path: Source) -> None:
        """Parameters as safetensors, by their names: never half a file."""
        self._do(lib.hc_save, os.fsencode(path))

    def load(self, path: Source) -> None:
        """Exactly the model's parameters, from safetensors of any real type; nothing changes on failure."""
        self._do(lib.hc_load, os.fsencode(path))

    def save_checkpoint(self, folder: Source) -> None:
        """Parameters and the optimiser's state in a folder, replaced in one step: what an exact
        continuation needs."""
        self._do(lib.hc_save_checkpoint, os.fsencode(folder))

    def load_checkpoint(self, folder: Source) -> None:
        """As `save_checkpoint` or `hcc train` (RUN/ckpt/last) left it; nothing changes on failure."""
        self._do(lib.hc_load_checkpoint, os.fsencode(folder))
