"""Compiled models, whoever compiled them: from a text in this process, or from a library on disk."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import warnings
import weakref
from functools import cached_property
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Union

from . import _errors
from ._library import HccOptions, HcModel, lib

Source = Union[str, "os.PathLike[str]"]
Constant = Union[str, int, float, bool]


class Program:
    """A compiled model: its code and its manifest. Any number of `hcc.Model`s may be made of it, each
    with memory of its own; a program is never changed and may be used by several threads. Pickled, it
    is its text (or the library's path), of which it is made again."""

    def __init__(self, address: int, owner: Any, again: tuple[Callable[..., "Program"], tuple[Any, ...]]):
        self._address = address
        self._owner = owner  # frees the code once nobody holds it
        self._again = again

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the compiled model says of itself: inputs, parameters, sites, recipe, plan
        (docs/manifest.md)."""
        return json.loads(HcModel.from_address(self._address).manifest)

    @property
    def name(self) -> str:
        return self.manifest["model"]

    @property
    def precision(self) -> str:
        """"f32", "bf16", "bf16_streams" or "f64": what the model computes in."""
        return self.manifest["precision"]

    @property
    def element(self) -> str:
        """"f32" or "f64": what its parameters and other real arrays hold."""
        return self.manifest["element"]

    def __repr__(self) -> str:
        return f"<hcc.Program {self.name}, {self.precision}>"

    def __deepcopy__(self, memo: Any) -> "Program":
        return self

    def __reduce__(self) -> tuple[Callable[..., "Program"], tuple[Any, ...]]:
        return self._again


# --- compiling ---------------------------------------------------------------------------------------


class _Module:
    """Owns a HccModule."""

    def __init__(self, handle: Optional[int]):
        self.handle = handle

    def __del__(self, free: Any = lib.hcc_free) -> None:
        free(self.handle)


def is_text(source: Source) -> bool:
    """A string is a text where it could not be a path: it has a line's end or a brace."""
    return isinstance(source, str) and ("\n" in source or "{" in source)


def setting(value: Constant) -> str:
    """A constant's value as `--set` takes it."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (str, int)):
        return str(value)
    return repr(float(value))


def _read(source: Source) -> tuple[str, bytes]:
    """Name and text."""
    if is_text(source):
        return "<text>", str(source).encode()
    try:
        with open(source, "rb") as file:
            return os.fspath(source), file.read()
    except OSError as error:
        raise _errors.ArgumentError(f"cannot read '{os.fspath(source)}': {error.strerror}") from None


def compile_program(source: Source, *, set: Optional[Mapping[str, Constant]] = None, name: Optional[str] = None,
                    model: Optional[str] = None, precision: Optional[str] = None, cpu: Optional[str] = None, memory: int = 0,
                    cache: bool = True, results: Sequence[str] = (), given: Sequence[str] = (),
                    part: Optional[str] = None, site: Optional[str] = None, apart: bool = False, beside: bool = False,
                    maps: bool = False, connection: Optional[str] = None, **constants: Constant) -> Program:
    """Compiles a `.hc` file or text to a program; `hcc.program` says what the arguments are. name: what
    diagnostics call a text; connection: as a trunk says it, in the place of a model (HccOptions in hcc.h)."""
    file, text = _read(source)
    options = {"model": model, "precision": precision, "cpu": cpu, "memory": memory, "cache": cache, "results": _names(results),
               "given": _names(given), "part": part, "site": site, "apart": apart, "beside": beside, "maps": maps,
               "connection": connection}
    settings = tuple(f"{key}={setting(value)}" for key, value in {**(set or {}), **constants}.items())
    return _compiled(name or file, text, settings, tuple(options.items()))


#: Programs that are pickled again and again are compiled once in a process.
_unpickled: "weakref.WeakValueDictionary[Any, Program]" = weakref.WeakValueDictionary()


def _compiled_again(*arguments: Any) -> Program:
    found = _unpickled.get(arguments)
    if found is None:
        found = _unpickled[arguments] = _compiled(*arguments)
    return found


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _texts(values: Sequence[str]) -> Any:
    return (ctypes.c_char_p * len(values))(*(value.encode() for value in values))


def _compiled(name: str, text: bytes, settings: tuple[str, ...], options: tuple[tuple[str, Any], ...]) -> Program:
    o = dict(options)
    encoded = {key: o[key].encode() if o[key] else None for key in ("model", "precision", "cpu", "part", "site", "connection")}
    all_options = HccOptions(size=ctypes.sizeof(HccOptions), set=_texts(settings), n_set=len(settings),
                             memory=o["memory"], no_cache=not o["cache"], results=_texts(o["results"]),
                             n_results=len(o["results"]), given=_texts(o["given"]), n_given=len(o["given"]),
                             streams_apart=o["apart"], beside=o["beside"], maps=o["maps"], **encoded)
    module = _Module(lib.hcc_compile_text(text, len(text), os.fsencode(name), all_options))
    _check(module)
    return Program(lib.hcc_model(module.handle), module, (_compiled_again, (name, text, settings, options)))


def _check(module: _Module) -> None:
    status = lib.hcc_status(module.handle)
    report = lib.hcc_report(module.handle).decode("utf-8", "replace")
    if status == 1:
        raise _errors.CompileError(report, _errors.diagnostics(lib.hcc_diagnostics(module.handle).decode()))
    if status != 0:
        message = lib.hcc_message(module.handle).decode("utf-8", "replace")
        raise _errors.OF_COMPILATION[status](message)
    if report:
        warnings.warn("\n" + report.rstrip("\n"), _errors.CompileWarning, stacklevel=5)


# --- libraries that `hcc build` made -------------------------------------------------------------------


def _section_headers(file: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Of a 64-bit little-endian ELF file: type, offset, size, link of each section."""
    if file[:6] != b"\x7fELF\x02\x01" or len(file) < 64:
        raise _errors.ModelError("it is no 64-bit library")
    offset, = struct.unpack_from("<Q", file, 40)
    size, count = struct.unpack_from("<HH", file, 58)
    for k in range(count):
        kind, = struct.unpack_from("<I", file, offset + k * size + 4)
        begin, length, link = struct.unpack_from("<QQI", file, offset + k * size + 24)
        yield kind, begin, length, link


def _records(file: bytes) -> list[str]:
    """Names of the exported objects that end as the record of a model does."""
    objects, dynamic_symbols, found = 1, 11, []
    sections = list(_section_headers(file))
    for kind, begin, length, link in sections:
        if kind != dynamic_symbols:
            continue
        strings = sections[link][1]
        for at in range(begin, begin + length, 24):
            name, info, _, section = struct.unpack_from("<IBBH", file, at)
            if info & 15 == objects and section:
                text = file[strings + name:file.index(b"\0", strings + name)].decode()
                if text.endswith("_model"):
                    found.append(text)
    return found


def _record(path: str, part: Optional[str]) -> tuple[ctypes.CDLL, HcModel]:
    """The library, and the record of its program; of a connection's part that of the first site."""
    try:
        with open(path, "rb") as file:
            names = _records(file.read())
        library = ctypes.CDLL(path)
    except (OSError, struct.error, IndexError, ValueError) as error:
        raise _errors.ModelError(f"cannot load '{path}': {error}") from None
    except _errors.ModelError as error:
        raise _errors.ModelError(f"cannot load '{path}': {error}") from None
    if part is not None:
        names = [name for name in names if name.endswith(f"_{part}_model")]
    elif len(names) > 1:
        raise _errors.ModelError(f"cannot load '{path}': it holds the parts of a connection: say which")
    if len(names) != 1:
        raise _errors.ModelError(f"cannot load '{path}': it holds no such program")
    return library, HcModel.in_dll(library, names[0])


def _count(record: HcModel) -> int:
    """What is of another version is refused by whoever runs it."""
    count = ctypes.c_int64()
    lib.hc_site_count(ctypes.addressof(record), count)
    return count.value


def site_count(path: Source, part: str) -> int:
    """Sites of which a connection's library has a program of the part."""
    return _count(_record(os.path.abspath(path), part)[1])


def load_program(path: Source, part: Optional[str] = None, site: int = 0) -> Program:
    """The program in a library that `hcc build FILE -o NAME.so` made; `hcc.load` says more. part: of a
    connection (`hcc build --connection`) "begin", "read", "write", "turn" or "end"; site: whose, from 0."""
    path = os.path.abspath(path)
    library, record = _record(path, part)
    if not 0 <= site < _count(record):
        raise _errors.ArgumentError(f"there is no site {site}: '{path}' has {_count(record)} of them")
    address = record.sites[site] if site else ctypes.addressof(record)
    return Program(address, library, (load_program, (path, part, site)))
