"""What goes wrong, as exceptions: one class for each status of the C interface."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional


class Error(Exception):
    """Anything that hcc refuses or cannot do. `exit_code` is what `hcc` itself would have ended with."""

    exit_code: int = 70


class ArgumentError(Error, ValueError):
    """Something was asked for that does not exist, or an option is wrong."""

    exit_code = 2


class ModelError(Error):
    """The compiled model is malformed, or of another version than this library."""

    exit_code = 70


class CpuError(Error):
    """The model was compiled for instructions that this machine lacks."""

    exit_code = 5


class DataError(Error, ValueError):
    """Data are missing, too short or out of range."""

    exit_code = 3


class CheckpointError(Error):
    """A checkpoint or a run is missing, damaged or of another model."""

    exit_code = 3


class DivergedError(Error, ArithmeticError):
    """A loss, a gradient or a parameter is not finite."""

    exit_code = 4


class OutOfMemory(Error, MemoryError):
    """Memory ran out, sizes overflow, or a step takes more than `memory`."""

    exit_code = 6


class FileError(Error, OSError):
    """A file or a folder cannot be written, or OpenBLAS cannot be loaded."""

    exit_code = 6


class Interrupted(Error):
    """Stopped on request, after saving."""

    exit_code = 130


class InternalError(Error):
    """The compiler itself is wrong."""

    exit_code = 70


@dataclass(frozen=True)
class Place:
    """A stretch of a source text. Lines and columns count from 1 (columns: characters), `begin` and
    `end` are byte offsets."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    begin: int
    end: int


@dataclass(frozen=True)
class Note:
    """Another place that a diagnostic speaks of."""

    message: str
    place: Optional[Place]


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning about a text."""

    severity: str  #: "error" or "warning"
    code: str  #: as "E0201", which `hcc explain` explains
    message: str
    place: Optional[Place]
    notes: tuple[Note, ...]
    help: tuple[str, ...]

    @property
    def file(self) -> Optional[str]:
        return self.place.file if self.place else None

    @property
    def line(self) -> Optional[int]:
        return self.place.line if self.place else None

    @property
    def column(self) -> Optional[int]:
        return self.place.column if self.place else None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.place else ""
        return f"{where}{self.severity}[{self.code}]: {self.message}"


class CompileError(Error):
    """The text is wrong. Printed, it is what `hcc check` prints; `diagnostics` are its parts."""

    exit_code = 1

    def __init__(self, report: str, diagnostics: tuple[Diagnostic, ...] = ()):
        super().__init__(report, diagnostics)
        self.report = report
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n" + self.report.rstrip("\n")


class CompileWarning(UserWarning):
    """What the compiler warns of, as `hcc check` prints it."""


def _place(fields: dict[str, Any]) -> Optional[Place]:
    if fields.get("file") is None:
        return None
    return Place(*(fields[name] for name in ("file", "line", "column", "end_line", "end_column", "begin", "end")))


def diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """Those that hcc_diagnostics gives."""
    return tuple(
        Diagnostic(one["severity"], one["code"], one["message"], _place(one),
                   tuple(Note(note["message"], _place(note)) for note in one["notes"]), tuple(one["help"]))
        for one in json.loads(text))


#: By HcStatus.
OF_STATUS: dict[int, type[Error]] = {
    1: ArgumentError,
    2: ModelError,
    3: CpuError,
    4: DataError,
    5: CheckpointError,
    6: DivergedError,
    7: OutOfMemory,
    8: FileError,
    9: Interrupted,
}

#: By HccStatus, but for HCC_ERROR_TEXT.
OF_COMPILATION: dict[int, type[Error]] = {2: ArgumentError, 6: OutOfMemory, 70: InternalError}
