"""A compiled connection around modules: the branches are PyTorch's, all between them is compiled."""

from __future__ import annotations

import itertools
import os
from typing import Mapping, Optional, Sequence, Union

import torch
from torch import Tensor, nn

from .. import _errors
from .._model import Model
from .._program import Program, compile_program, load_program, site_count
from ._module import Scope
from ._primitive import Primitive

#: What a program may be asked for at most; nothing is sized by it.
POSITIONS = 1 << 24


class Streams:
    """What goes from site to site: the connection's states by name, a tensor each, or a list of tensors
    of one that grows; and what a read hands to its write. They are never changed: each step gives new ones."""

    def __init__(self, values: Mapping[str, Tensor]):
        self._values = dict(values)

    def __getitem__(self, name: str) -> Union[Tensor, list[Tensor]]:
        if name in self._values:
            return self._values[name]
        entries = (self._values.get(f"{name}.{k}") for k in itertools.count())
        found = [one for one in itertools.takewhile(lambda one: one is not None, entries) if one is not None]
        if not found:
            raise KeyError(name)
        return found

    def _after(self, results: Mapping[str, Tensor]) -> "Streams":
        """What was handed to the write is used up."""
        lasting = {name: one for name, one in self._values.items() if not name.startswith("kept.")}
        return Streams({**lasting, **results})


class Connection(nn.Module):
    """A trunk of sites, one for each branch: x [batch, positions, dim] -> the same. Positions may be
    several axes.

    Streams are made of x, each branch reads them and its result is written to them, and what they come
    to is given. The write of a site and the read of the next run as one program. Parameters are
    `sites.K.NAME` as the connection names them; the branches are `branches.K`.

    Where branches are called by other code, the steps are called one by one:

        streams = block.begin(x)
        x, streams = block.read(streams, 0)                # what the branch of the first site takes
        x, streams = block.turn(streams, attention(x), 0)  # its result is written, the next one reads
        streams = block.write(streams, mlp(x), 1)
        y = block.end(streams)

    A site's programs are the site's own where it asks which one it is; states that grow have an entry
    more after each site that appends.
    """

    def __init__(self, connection: str, branches: Sequence[nn.Module] = (), dim: int = 0, *, sites: int = 0,
                 blocks: int = 0, definitions: str = "", precision: Optional[str] = None,
                 threads: int = 0, seed: Optional[int] = None):
        """connection: as a trunk says it, "mhc(n = 4)", or the path of a library that
        `hcc build --connection` made, NAME.so; branches: modules from [batch, positions, dim] to the same;
        sites: how many, where branches are none of this module's; blocks: in which they stand (as many);
        definitions: text that defines the connection, where the library has it not; precision, threads,
        seed: as for `hcc.torch.compile`."""
        super().__init__()
        self.connection = connection
        self.branches = nn.ModuleList(branches)
        self._library = connection if connection.endswith(".so") else ""
        count = sites or len(branches) or (site_count(connection, "read") if self._library else 0)
        if count < 1 or (branches and count != len(branches)):
            raise _errors.ArgumentError("a connection needs a branch, or so many `sites`" if count < 1 else
                                        f"{count} sites have {len(branches)} branches")
        if not self._library and dim < 1:
            raise _errors.ArgumentError("a connection needs `dim`, the width of what its branches take")
        self._text = definitions or "use std;\n"
        self._constants = {"d": dim, "sites": count, "blocks": blocks or count, "most": POSITIONS}
        self._precision, self._threads = precision, threads
        self._parts: dict[tuple[str, int], Primitive] = {}
        self.sites = nn.ModuleList(Scope() for _ in range(count))
        self._states = {one.name.partition(".")[0] for one in self._part("begin").results}
        self.reset_parameters(seed)

    # --- programs -----------------------------------------------------------------------------------

    def _part(self, name: str, site: int = 0) -> Primitive:
        """Made when it is first asked for."""
        if (name, site) not in self._parts:
            self._parts[name, site] = Primitive(self._program(name, site), threads=self._threads)
        return self._parts[name, site]

    def _program(self, name: str, site: int) -> Program:
        if self._library:
            return load_program(self._library, name, site)
        at = None if name in ("begin", "end") else str(site)
        return compile_program(self._text, name="<connection>", connection=self.connection, part=name, site=at,
                               precision=self._precision, set=self._constants)

    # --- parameters ---------------------------------------------------------------------------------

    def _uses(self) -> list[tuple[Primitive, int]]:
        """Programs that read all parameters, each with the site that it begins at."""
        last = len(self.sites) - 1
        return [(self._part("begin"), 0), (self._part("read"), 0), *((self._part("turn", k), k) for k in range(last)),
                (self._part("write", last), last), (self._part("end"), last)]

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
                        value = torch.from_numpy(model.parameters[one.name].copy())
                        self._set(site, leaf, value, one.frozen or one.is_buffer)
                        drawn.add((site, leaf))

    def _set(self, site: int, leaf: str, value: Tensor, frozen: bool) -> None:
        parameters = self.sites[site]._parameters
        if leaf not in parameters:
            parameters[leaf] = nn.Parameter(value, requires_grad=not frozen)
            return
        with torch.no_grad():
            parameters[leaf].copy_(value)  # type: ignore[union-attr]

    # --- running ------------------------------------------------------------------------------------

    def _run(self, name: str, site: int, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        program, weights = self._part(name, site), []
        for one in program.parameters:
            at, leaf = self._of_site(one.name, len(self.sites) - 1 if name == "end" else site)
            weights.append(self.sites[at]._parameters[leaf])
        found = program([values[one.name] for one in program.inputs], weights, training=self.training)
        return {one.name: value for one, value in zip(program.results, found)}

    def _read(self, name: str, site: int, streams: Streams, values: Mapping[str, Tensor]) -> tuple[Tensor, Streams]:
        results = self._run(name, site, values)
        read, = (one for one in results if not one.startswith("kept.") and one.partition(".")[0] not in self._states)
        return results.pop(read), streams._after(results)

    def begin(self, x: Tensor) -> Streams:
        """The streams of what the trunk is given."""
        entered, = self._part("begin").inputs
        return Streams(self._run("begin", 0, {entered.name: x}))

    def read(self, streams: Streams, site: int) -> tuple[Tensor, Streams]:
        """What a site's branch takes; the streams go to its write, or turn."""
        return self._read("read", site, streams, streams._values)

    def write(self, streams: Streams, y: Tensor, site: int) -> Streams:
        """The streams after a site, whose branch gave y."""
        return streams._after(self._run("write", site, {**streams._values, "y": y}))

    def turn(self, streams: Streams, y: Tensor, site: int) -> tuple[Tensor, Streams]:
        """The write of a site and the read of the next, as one program."""
        return self._read("turn", site, streams, {**streams._values, "y": y})

    def end(self, streams: Streams) -> Tensor:
        """What the trunk gives, after its last site."""
        return next(iter(self._run("end", 0, streams._values).values()))

    def forward(self, x: Tensor) -> Tensor:
        if not len(self.branches):
            raise _errors.ArgumentError("this connection has no branches: call begin, read, turn, write and end")
        x, streams = self.read(self.begin(x), 0)
        for site, branch in enumerate(self.branches[:-1]):
            x, streams = self.turn(streams, branch(x), site)
        return self.end(self.write(streams, self.branches[-1](x), len(self.branches) - 1))

    def extra_repr(self) -> str:
        return self.connection


def connection(connection: str, *branches: nn.Module, dim: int = 0, sites: int = 0, blocks: int = 0,
               definitions: str = "", precision: Optional[str] = None, threads: int = 0,
               seed: Optional[int] = None) -> Connection:
    """A module that connects the branches, in their order:

        block = hcc.torch.connection("mhc(n = 4)", attention, mlp, dim=512)
        y = block(x)                                # [batch, positions, 512]

    `Connection` says what the arguments are, and how sites are called one by one."""
    return Connection(connection, branches, dim, sites=sites, blocks=blocks, definitions=definitions,
                      precision=precision, threads=threads, seed=seed)
