"""Parts of connections as compiled programs, each made when it is first needed and then kept.

A text in texts/ says what a connection computes. Out of one site of it the compiler cuts programs: what
a branch reads (`read`), what comes of its result (`write`), or whatever leads from some named values to
others. They are the same for all sites with the same arguments; parameters are given to each call.
"""

from __future__ import annotations

import functools
import math
import operator
import os
import threading
from typing import Any, Mapping, NamedTuple, Sequence

import torch
from torch import Tensor

from .. import ArgumentError
from .._program import compile_program
from ..torch._primitive import Primitive, call

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


def size(tensor: Tensor, axis: int) -> int:
    """A number also to who traces, and who could leave it open."""
    return operator.index(tensor.shape[axis])


def area(pictures: Tensor) -> int:
    """Places of pictures [samples, features, ...]."""
    return operator.index(pictures[0, 0].numel())


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

#: So many programs are kept; more there are only of pictures of many sizes.
_KEPT = 256


def precision(like: Tensor) -> str:
    """What a program for it computes in."""
    return {torch.float64: "f64", torch.bfloat16: "bf16_streams"}.get(like.dtype, "f32")


def _renew() -> None:
    """Also in the child of a fork, whose parent may just have been making a program."""
    global _making
    _making = threading.Lock()


_renew()
os.register_at_fork(after_in_child=_renew)


@functools.lru_cache(maxsize=_KEPT)
def _part(connections: tuple[Connection, ...], part: str, given: tuple[str, ...], results: tuple[str, ...],
          precision: str) -> Primitive:
    first = connections[0]
    program = compile_program(_source(connections), name=f"{first.text}.hc", precision=precision, site="trunk.s0", part=part or None,
                              given=given, results=results, apart=first.apart, beside=part == "read")
    return Primitive(program, folded=_FOLDED if first.apart else ())


@functools.lru_cache(maxsize=_KEPT)
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


# Who traces a site calls these while he traces, and takes what they give for a constant. It is what
# torch.compiler.assume_constant_result says, which would load the tracer (for seconds) to say it.
for _constant in (primitive, function):
    _constant._dynamo_marked_constant = True  # type: ignore[attr-defined]


def run(made: Primitive, values: Mapping[str, Tensor], parameters: Mapping[str, Tensor],
        lists: Sequence[str] = ()) -> dict[str, Any]:
    """Calls a program with what it needs of values and parameters, by name; gives results by name.

    Where streams are apart, every value of several axes is taken to pieces along the first: a value is
    given and given back whole here, but for results in `lists`, which come as lists.
    """
    inputs = [_piece(values, one) for one in made.inputs]
    return _whole(made, call(made, inputs, _given(made, parameters)), lists)


def read(made: Primitive, states: Tensor, parameters: Mapping[str, Tensor],
         lists: Sequence[str] = ()) -> tuple[dict[str, Any], Tensor]:
    """Calls the program of a read. Besides its results it gives the states once more, for the write:
    what the write's gradient is comes back through here, and is added where the read's own is made."""
    *results, through = call(made, [states], _given(made, parameters), through=True)
    found = _whole(made, results, lists)
    for name in ("x", "xs"):  # the branch gets what the streams are; what is kept stays as it was made
        if name in found:
            found[name] = torch.utils._pytree.tree_map(lambda one: one.to(states.dtype), found[name])
    return found, through


def _given(made: Primitive, parameters: Mapping[str, Tensor]) -> list[Tensor]:
    for one in made.parameters:
        if parameters[one.name].numel() != math.prod(one.shape):
            raise ArgumentError(f"the parameter '{one.name}' is {list(parameters[one.name].shape)}, and such streams need "
                                f"{list(one.shape)}: are they as wide as the site's `dim`?")
    return [parameters[one.name].reshape(one.shape) for one in made.parameters]


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
