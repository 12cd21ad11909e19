"""A compiled program with its parameters: an nn.Module."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Union

import torch
from torch import Tensor, nn

from .. import _errors
from .._model import Model
from .._program import Constant, Program, Source, compile_program
from .._run import Run
from ._primitive import Primitive


class Scope(nn.Module):
    """Parameters of one instance of a program's text; only there for their paths."""


class Module(nn.Module):
    """A compiled program whose parameters are this module's, by their paths in the text.

    `state_dict` has the names that `hcc` and its safetensors have. Copies share the code; pickled
    (`torch.save`, spawned processes) a module is its text and its parameters, and is compiled again.
    """

    def __init__(self, primitive: Primitive, seed: Optional[int] = None):
        """seed: of the initial values, which are those that the text says; None: drawn from PyTorch's
        generator."""
        super().__init__()
        self.primitive = primitive
        self._places: list[tuple[nn.Module, str]] = []
        for one in primitive.parameters:
            scope, leaf = self._scope(one.name)
            value = torch.empty(one.shape, dtype=primitive.dtype)
            # By the dictionaries: a path may have the name of an attribute that modules have.
            if one.is_buffer:
                scope._buffers[leaf] = value
            else:
                scope._parameters[leaf] = nn.Parameter(value, requires_grad=not one.frozen)
            self._places.append((scope, leaf))
        self.reset_parameters(seed)

    def _scope(self, path: str) -> tuple[nn.Module, str]:
        scope: nn.Module = self
        *above, leaf = path.split(".")
        for name in above:
            scope = scope._modules.setdefault(name, Scope())  # type: ignore[assignment]
        return scope, leaf

    def reset_parameters(self, seed: Optional[int] = None) -> None:
        """Draws all parameters anew, as the text says."""
        if seed is None:
            seed = int(torch.randint(2**62, (), dtype=torch.int64))
        with Model(self.primitive.program, samples=1, positions=1, threads=1) as model:
            model.init(seed)
            with torch.no_grad():
                for one, value in zip(self.primitive.parameters, self._values()):
                    value.copy_(torch.from_numpy(model.parameters[one.name]))

    def _values(self) -> list[Tensor]:
        found = []
        for scope, leaf in self._places:
            value = scope._parameters.get(leaf)
            if value is None:
                value = scope._buffers.get(leaf)
            found.append(getattr(scope, leaf) if value is None else value)
        return found

    @property
    def inputs(self) -> list[str]:
        """Names of what `forward` takes, in its order."""
        return [one.name for one in self.primitive.inputs]

    @property
    def results(self) -> list[str]:
        """Names of what it gives."""
        return [one.name for one in self.primitive.results]

    def forward(self, *inputs: Tensor, **named: Tensor) -> Union[Tensor, tuple[Tensor, ...]]:
        """Runs the program on its inputs, in order or by name. Of one result the tensor, of several a
        tuple in the order of `results`. Shapes are [samples, positions, ...] or [samples, ...]; positions
        may be several axes. While `training`, dropout is on, with numbers from PyTorch's generator."""
        found = self.primitive(self._ordered(inputs, named), self._values(), training=self.training)
        return found[0] if len(found) == 1 else found

    def _ordered(self, inputs: Sequence[Tensor], named: Mapping[str, Tensor]) -> list[Tensor]:
        names = self.inputs
        if len(inputs) > len(names) or any(name not in names[len(inputs):] for name in named) or \
                len(inputs) + len(named) != len(names):
            raise _errors.ArgumentError(f"the program takes {', '.join(names)}; given were {len(inputs)} inputs" +
                                        "".join(f", {name}" for name in named))
        return [*inputs, *(named[name] for name in names[len(inputs):])]

    def extra_repr(self) -> str:
        return f"{self.primitive.program.name}: {', '.join(self.inputs)} -> {', '.join(self.results)}"


def compile(source: Source, *, results: Union[str, Sequence[str]] = (), given: Union[str, Sequence[str]] = (),
            set: Optional[Mapping[str, Constant]] = None, model: Optional[str] = None, precision: Optional[str] = None,
            cpu: Optional[str] = None, cache: bool = True, threads: int = 0, seed: Optional[int] = None,
            **constants: Constant) -> Module:
    """Compiles a `.hc` file, or text, to a module.

    results: names of the values that it gives (`"logits"`, a `let`, `"loss"`): as many results.
    given: names of values that are inputs in the place of what makes them.
    threads: that work in a call (0: as many as PyTorch uses); seed: of the initial values (None: from
    PyTorch's generator). The other arguments are those of `hcc.compile`.
    """
    program = compile_program(source, results=results, given=given, set=set, model=model, precision=precision, cpu=cpu,
                              cache=cache, **constants)
    return Module(Primitive(program, threads=threads), seed)


def load(run: Union[Source, Run], checkpoint: str = "", *, results: Union[str, Sequence[str]] = "logits",
         threads: int = 0) -> Module:
    """What `hcc train` left, as a module in evaluation mode with its parameters.

    run: the run's folder; checkpoint: "best", "last", ... ("": as it ended); results: as for `compile`.
    """
    run = run if isinstance(run, Run) else Run(run)
    module = Module(Primitive(run.cut(results=results), threads=threads), seed=1)
    found = run.parameters(checkpoint)
    wanted = {one.name for one in module.primitive.parameters}
    module.load_state_dict({name: torch.from_numpy(array) for name, array in found.items() if name in wanted})
    return module.eval()
