"""What `hcc train` left in a folder."""

from __future__ import annotations

import ctypes
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _errors, _safetensors
from ._library import HcError, lib
from ._model import Model
from ._program import Program, Source, compile_program


def _with_arrays(found: Any) -> Any:
    """Lists of lists of numbers as arrays."""
    if isinstance(found, dict):
        return {name: _with_arrays(one) for name, one in found.items()}
    if isinstance(found, list):
        if found and all(isinstance(one, list) for one in found):
            try:
                return np.array(found, np.float64)
            except (ValueError, TypeError):
                pass
        return [_with_arrays(one) for one in found]
    return found


class Run:
    """A run's folder: its settings, log, summary and checkpoints, and the model as it was trained.

        run = hcc.Run("runs/gpt-1")
        steps, loss = run.series("loss")
        model = run.model()                    # as it ended, ready to be run

    The files are read when they are asked for; `log` again each time, so that a run may be watched.
    """

    def __init__(self, folder: Source):
        self.folder = Path(folder)
        if not (self.folder / "config.json").is_file():
            raise _errors.CheckpointError(f"'{self.folder}' is no run: it holds no config.json")

    def __repr__(self) -> str:
        return f"<hcc.Run {self.folder}>"

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _errors.CheckpointError(f"cannot read '{self.folder / name}': {error}") from None
        if not isinstance(found, dict):
            raise _errors.CheckpointError(f"'{self.folder / name}' holds no object")
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the run was made with: model, constants, recipe, data, threads, and the text itself."""
        return self._json("config.json")

    @property
    def summary(self) -> dict[str, Any]:
        """What came of it; {} for a run that has not ended."""
        return self._json("summary.json") if (self.folder / "summary.json").exists() else {}

    @property
    def log(self) -> list[dict[str, Any]]:
        """A dictionary a step ("step", "loss", "grad_norm", "lr", ..., "val_loss" where it was
        evaluated). A last line that is not written whole yet is left out."""
        try:
            with open(self.folder / "log.jsonl", encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1]
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise _errors.CheckpointError(f"cannot read the log of '{self.folder}': {error}") from None

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Steps and values of what the log has under a name, where it has it. Losses that were not
        finite are NaN."""
        rows = [(line["step"], line[name]) for line in self.log if name in line]
        steps = np.array([step for step, _ in rows], np.int64)
        return steps, np.array([np.nan if value is None else value for _, value in rows], np.float64)

    @property
    def checkpoints(self) -> dict[str, Path]:
        """By name ("best", "last", "step-500", and "final" once it has ended): the files of
        parameters."""
        found = {}
        for path in sorted((self.folder / "ckpt").glob("*")):
            if path.suffix == ".safetensors":
                found[path.stem] = path
            elif (path / "parameters.safetensors").is_file():
                found[path.name] = path / "parameters.safetensors"
        return found

    def checkpoint(self, name: str = "") -> Path:
        """The file of a checkpoint; without a name that of its end, else the last, as `hcc eval`
        takes it."""
        found = self.checkpoints
        for one in [name] if name else ["final", "last"]:
            if one in found:
                return found[one]
        there = ", ".join(found) or "none"
        raise _errors.CheckpointError(f"'{self.folder}' has no checkpoint '{name or 'final'}'; there are: {there}")

    def parameters(self, name: str = "") -> dict[str, NDArray[Any]]:
        """Of a checkpoint, by name, as arrays of their own."""
        return _safetensors.read(self.checkpoint(name))

    def cut(self, **options: Any) -> Program:
        """A program of the model, compiled again from the text that the run keeps; options are those of
        `hcc.program`: `results`, `given`, ..."""
        made = self.config.get("hcc")
        if not made:
            raise _errors.CheckpointError(
                f"'{self.folder}' was not made by 'hcc train': its config.json does not hold the model's source")
        if made.get("uses"):
            raise _errors.CheckpointError(
                f"'{self.folder}' was made from several files (`use`), which the commands of hcc compile again, "
                "and this package does not")
        settings = dict(one.split("=", 1) for one in made["set"])
        options.setdefault("precision", self.config["precision"])
        return compile_program(made["text"] + "\n", set=settings, model=made.get("model"), name=str(made["file"]),
                               **options)

    @cached_property
    def program(self) -> Program:
        """The model as it was trained."""
        return self.cut(memory=self.config.get("hcc", {}).get("memory", 0))

    def matrices(self, batches: int = 0) -> dict[str, Any]:
        """What the sites do with their streams, as `hcc inspect RUN --maps --json` has it (docs/maps.md):
        `["sites"][k]["mix"]["mean"]` is the array [destination, source] of site k. Compiled and run
        here, over so many batches (0: 8) of the data that the run names."""
        program = self.cut(maps=True)
        text, error = ctypes.c_void_p(), HcError()
        status = lib.hcc_maps(program._owner.handle, os.fsencode(self.folder), batches, text, error)
        if status != 0:
            raise _errors.OF_STATUS[status](error.message.decode("utf-8", "replace"))
        try:
            found = json.loads(ctypes.string_at(text.value or 0))
        finally:
            lib.hcc_free_text(text)
        return _with_arrays(found)

    def model(self, checkpoint: str = "", *, samples: int = 0, positions: int = 0, threads: int = 0) -> Model:
        """The model with a checkpoint's parameters, not in training mode."""
        path = self.checkpoint(checkpoint)
        model = Model(self.program, samples=samples, positions=positions, threads=threads)
        model.load(path)
        model.training = False
        return model
