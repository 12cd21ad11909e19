"""Parts of connections as compiled programs, each made when it is first needed and then kept.

A text in texts/ says what a connection computes. Out of one site of it the compiler cuts programs: what
a branch reads (`read`), what comes of its result (`write`), or whatever leads from some named values to
others. They are the same for all sites with the same arguments; parameters are given to each call.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any, Mapping, NamedTuple, Sequence

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .._program import compile_program
from ..torch._primitive import Primitive, flat_inputs, shaped_results

_TEXTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "texts")
MOST_POSITIONS = 1 << 24

_SITE = """
branch taken : x[v, e] -> y[e] {{ let y[c] = x[0, c]; }}
branch taken_alone : x[e] -> y[e] {{ let y = x; }}
model site {{
  const d = {width};
  {positions}
  input X[{at}d] : real;
  let h = trunk(X) {{
{sites}
  }};
}}
"""


class Connection(NamedTuple):
    """One connection with its arguments, as a text has it."""

    text: str  #: a file in texts/, without its ending
    call: str  #: as it stands at a site
    width: int  #: of a stream
    branches: int = 1  #: side by side at the site
    views: int = 1  #: vectors that a branch reads
    by_position: bool = True  #: whether a sample has positions
    apart: bool = True  #: streams as vectors of their own: "(b s) ... d"; else [s, d] at each position


def _branch(connection: Connection) -> str:
    one = "taken_alone" if connection.views == 1 else "taken"
    return " & ".join([one] * connection.branches)


def _source(connections: Sequence[Connection]) -> str:
    first = connections[0]
    texts = {one.text: None for one in connections}
    lines = [_text(name) for name in texts]
    sites = "\n".join(f"    s{k} = {one.call} : {_branch(one)};" for k, one in enumerate(connections))
    lines.append(
        _SITE.format(width=first.width, positions=f"positions t <= {MOST_POSITIONS};" if first.by_position else "",
                     at="t, " if first.by_position else "", sites=sites))
    return "\n".join(lines)


def _text(name: str) -> str:
    with open(os.path.join(_TEXTS, f"{name}.hc"), encoding="utf-8") as file:
        return file.read()


#: Names of vectors that are folded into the samples where streams are apart.
_FOLDED = ("H", "m", "o", "x")

_making = threading.Lock()


def precision(like: Tensor) -> str:
    """What a program for it computes in."""
    return "f64" if like.dtype == torch.float64 else "f32"


@functools.lru_cache(maxsize=None)
def _part(connections: tuple[Connection, ...], part: str, given: tuple[str, ...], results: tuple[str, ...],
          precision: str) -> Primitive:
    first = connections[0]
    program = compile_program(_source(connections), name=f"{first.text}.hc", precision=precision, site="trunk.s0", part=part or None,
                              given=given, results=results, apart=first.apart, beside=part == "read")
    return Primitive(program, folded=_FOLDED if first.apart else ())


@functools.lru_cache(maxsize=None)
def _function(text: str, model: str, results: tuple[str, ...], precision: str) -> Primitive:
    return Primitive(compile_program(_text(text) + model, name=f"{text}.hc", precision=precision, results=results))


def primitive(connections: tuple[Connection, ...], part: str = "", given: tuple[str, ...] = (),
              results: tuple[str, ...] = (), precision: str = "f32") -> Primitive:
    """The program of a connection's part, or of what leads from `given` to `results`."""
    with _making:  # a program is made once, and others wait for it
        return _part(connections, part, given, results, precision)


def function(text: str, model: str, results: tuple[str, ...], precision: str = "f32") -> Primitive:
    """The program of a model's named values, which uses definitions of a text."""
    with _making:
        return _function(text, model, results, precision)


def run(made: Primitive, values: Mapping[str, Tensor], parameters: Mapping[str, Tensor],
        lists: Sequence[str] = ()) -> dict[str, Any]:
    """Calls a program with what it needs of values and parameters, by name; gives results by name.

    Where streams are apart, every value of several axes is taken to pieces along the first: a value is
    given and given back whole here, but for results in `lists`, which come as lists.
    """
    inputs = [_piece(values, one) for one in made.inputs]
    return _whole(made, made(inputs, _given(made, parameters)), lists)


def read(made: Primitive, states: Tensor, parameters: Mapping[str, Tensor],
         lists: Sequence[str] = ()) -> tuple[dict[str, Any], Tensor]:
    """Calls the program of a read. Besides its results it gives the states once more, for the write:
    what the write's gradient is comes back through here, and is added where the read's own is made."""
    given = _given(made, parameters)
    if torch.compiler.is_compiling():  # whoever traces adds them up
        return _whole(made, made([states], given), lists), states
    flat, values = flat_inputs(made, [states], given)
    *results, through = _Read.apply(made, *flat, *values)
    through = through.view(states.shape)
    found = _whole(made, shaped_results(made, results, [through]), lists)
    for name in ("x", "xs"):  # the branch gets what the streams are; what is kept stays as it was made
        if name in found:
            found[name] = torch.utils._pytree.tree_map(lambda one: one.to(states.dtype), found[name])
    return found, through


def _given(made: Primitive, parameters: Mapping[str, Tensor]) -> list[Tensor]:
    return [parameters[one.name].reshape(one.shape) for one in made.parameters]


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, made: Primitive, states: Tensor, *parameters: Tensor) -> Any:
        ctx.set_materialize_grads(False)
        ctx.made, ctx.count = made, len(parameters)
        found = torch.ops.hcc.forward(made.number, [states], parameters, None, True, any(ctx.needs_input_grad))
        ctx.save_for_backward(states, *parameters, *found)
        return (*found[:-1], states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        states, *rest = ctx.saved_tensors
        parameters, results, saved = rest[:ctx.count], rest[ctx.count:-1], rest[-1]
        _, of_states, *of_parameters = ctx.needs_input_grad
        found = torch.ops.hcc.backward(ctx.made.number, [states], parameters, results, saved, None, True,
                                       list(gradients[:-1]), [gradients[-1]], [of_states], of_parameters)
        return (None, *(one if wanted else None for one, wanted in zip(found, ctx.needs_input_grad[1:])))


def _whole(made: Primitive, results: Sequence[Tensor], lists: Sequence[str]) -> dict[str, Any]:
    """Results by name, with pieces put together."""
    pieces: dict[str, list[Tensor]] = {}
    for one, result in zip(made.results, results):
        pieces.setdefault(one.name if one.name.startswith("kept.") else one.name.partition(".")[0], []).append(result)
    ranks = {one.name.partition(".")[0]: len(one.dims) + 1 for one in made.results if "." in one.name}
    return {
        name: several if name in lists else several[0] if name not in ranks else torch.stack(several, -ranks[name])
        for name, several in pieces.items()
    }


def _piece(values: Mapping[str, Tensor], one: Any) -> Tensor:
    if one.name in values:
        return values[one.name]
    name, _, number = one.name.rpartition(".")
    return values[name].select(-len(one.dims) - 1, int(number))
