"""A compiled connection around modules: the branches are PyTorch's, all between them is compiled."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import torch
from torch import Tensor, nn

from .. import _errors
from .._model import Model
from .._program import compile_program
from ._module import Scope
from ._primitive import Primitive

#: What a program may be asked for at most; nothing is sized by it.
POSITIONS = 1 << 24

_Values = dict[str, Tensor]


def _text(connection: str, definitions: str, dim: int, sites: int) -> str:
    trunk = "\n".join(f"    s{k} = {connection} : module;" for k in range(sites))
    return f"""use std;
{definitions}
branch module : x[d] -> y[d] {{ let y[c] = x[c]; }}
model connected {{
  const d = {dim};
  positions t <= {POSITIONS};
  input x[t, d] : real;
  let h = trunk(x) {{
{trunk}
  }};
}}
"""


class Connection(nn.Module):
    """A trunk of sites, one for each branch: x [batch, positions, dim] -> the same. Positions may be
    several axes.

    Streams are made of x, each branch reads them and its result is written to them, and what they come
    to is given. The write of a site and the read of the next run as one program. Parameters are
    `sites.K.NAME` as the connection names them; the branches are `branches.K`.
    """

    def __init__(self, connection: str, branches: Sequence[nn.Module], dim: int, *, definitions: str = "",
                 threads: int = 0, seed: Optional[int] = None):
        """connection: as a trunk says it, "mhc(n = 4)"; branches: modules from [batch, positions, dim] to
        the same; definitions: text that defines the connection, where the library has it not; threads,
        seed: as for `hcc.torch.compile`."""
        super().__init__()
        if not branches:
            raise _errors.ArgumentError("a connection needs a branch")
        self.connection = connection
        self.branches = nn.ModuleList(branches)
        last = len(branches) - 1
        text = _text(connection, definitions, dim, len(branches))

        def part(name: str, site: int) -> Primitive:
            return Primitive(compile_program(text, part=name, site=f"trunk.s{site}", name="<connection>"), threads=threads)

        self._begin, self._end = part("begin", 0), part("end", last)
        self._read, self._write = part("read", 0), part("write", last)
        self._turns = [part("turn", k) for k in range(last)]
        self._states = [one.name for one in self._begin.results]
        self.sites = nn.ModuleList(Scope() for _ in branches)
        self.reset_parameters(seed)

    # --- parameters ---------------------------------------------------------------------------------

    def _uses(self) -> list[tuple[Primitive, int]]:
        """Programs that read parameters, each with the site that it begins at."""
        return [(self._read, 0), *((turn, k) for k, turn in enumerate(self._turns)), (self._write, len(self.branches) - 1)]

    @staticmethod
    def _of_site(name: str, site: int) -> tuple[int, str]:
        """Of a turn's parameters, those that it reads by are the next site's."""
        side, dot, rest = name.partition(".")
        if not dot or side not in ("write", "read"):
            return site, name
        return site + (side == "read"), rest

    def reset_parameters(self, seed: Optional[int] = None) -> None:
        """Draws the connection's parameters anew, as its text says; the branches stay as they are."""
        if seed is None:
            seed = int(torch.randint(2**62, (), dtype=torch.int64))
        drawn: set[tuple[int, str]] = set()
        for primitive, first in self._uses():
            with Model(primitive.program, samples=1, positions=1, threads=1) as model:
                model.init(seed + first)
                for one in primitive.parameters:
                    site, leaf = self._of_site(one.name, first)
                    if (site, leaf) not in drawn:
                        self._set(site, leaf, torch.from_numpy(model.parameters[one.name].copy()), one.frozen or one.is_buffer)
                        drawn.add((site, leaf))

    def _set(self, site: int, leaf: str, value: Tensor, frozen: bool) -> None:
        parameters = self.sites[site]._parameters
        if leaf not in parameters:
            parameters[leaf] = nn.Parameter(value, requires_grad=not frozen)
            return
        with torch.no_grad():
            parameters[leaf].copy_(value)  # type: ignore[union-attr]

    # --- running ------------------------------------------------------------------------------------

    def _run(self, primitive: Primitive, values: Mapping[str, Tensor], site: int = 0) -> _Values:
        weights = []
        for one in primitive.parameters:
            k, leaf = self._of_site(one.name, site)
            weights.append(self.sites[k]._parameters[leaf])
        found = primitive([values[one.name] for one in primitive.inputs], weights, training=self.training)
        return {one.name: value for one, value in zip(primitive.results, found)}

    def forward(self, x: Tensor) -> Tensor:
        entered, = self._begin.inputs
        values = self._run(self._begin, {entered.name: x})
        values |= self._run(self._read, values)
        for k, branch in enumerate(self.branches):
            read, = (name for name in values if name not in self._states and not name.startswith("kept."))
            values["y"] = branch(values.pop(read))
            values = self._run(self._turns[k] if k < len(self._turns) else self._write, values, k)
        return next(iter(self._run(self._end, values).values()))

    def extra_repr(self) -> str:
        return self.connection


def connection(connection: str, *branches: nn.Module, dim: int, definitions: str = "", threads: int = 0,
               seed: Optional[int] = None) -> Connection:
    """A module that connects the branches, in their order:

        block = hcc.torch.connection("mhc(n = 4)", attention, mlp, dim=512)
        y = block(x)                                # [batch, positions, 512]

    `Connection` says what the arguments are."""
    return Connection(connection, branches, dim, definitions=definitions, threads=threads, seed=seed)
