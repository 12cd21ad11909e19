"""Networks with hyper-connections, compiled: `.hc` text in, a model with NumPy arrays out.

    import hcc

    model = hcc.compile("gpt.hc", d=256, wiring="mhc")
    model.init(seed=1)
    for step in range(100):
        loss = model.forward_backward(tokens=tokens, next=following)
        model.step()
    model.save("gpt.safetensors")

What is wrong with a text is a `CompileError` that prints as `hcc check` prints it. `hcc.torch` has
models as `torch.nn.Module`s; it is imported by itself, as PyTorch is not needed for the rest.
"""

from __future__ import annotations

import os as _os
from typing import Mapping, Optional, Sequence

from ._errors import (ArgumentError, CheckpointError, CompileError, CompileWarning, CpuError, DataError, Diagnostic,
                      DivergedError, Error, FileError, InternalError, Interrupted, ModelError, Note, OutOfMemory, Place)
from ._library import lib as _lib
from ._model import Arrays, Input, Model, Site
from ._program import Constant, Program, Source, compile_program, load_program
from ._run import Run

__version__: str = _lib.hcc_version().decode()

__all__ = [
    "ArgumentError", "Arrays", "CheckpointError", "CompileError", "CompileWarning", "CpuError", "DataError",
    "Diagnostic", "DivergedError", "Error", "FileError", "Input", "InternalError", "Interrupted", "Model", "ModelError",
    "Note", "OutOfMemory", "Place", "Program", "Run", "Site", "compile", "load", "program"
]


def program(source: Source, *, set: Optional[Mapping[str, Constant]] = None, model: Optional[str] = None,
            precision: Optional[str] = None, cpu: Optional[str] = None, memory: int = 0, cache: bool = True,
            results: Sequence[str] = (), given: Sequence[str] = (), part: Optional[str] = None,
            site: Optional[str] = None, apart: bool = False, beside: bool = False, **constants: Constant) -> Program:
    """Compiles to a program, of which `hcc.Model` makes models, and `hcc.torch` functions of tensors.
    Arguments are those of `compile`, and these, which cut a program out of the model that has no loss:

    results: names of the values that it gives; given: of those that the caller gives in the place of
        what makes them.
    part: of a site's connection: "begin", "read", "write", "turn" or "end"; site: its path, or its number (the first).
    apart: every stream is an input, or a result, of its own: "H.0", "H.1", ...; of a part, entries of states
        that grow are so in any case, and it gives those alone that it made or changed.
    beside: the gradients that states get by other ways are given, too, and added.
    """
    return compile_program(source, set=set, model=model, precision=precision, cpu=cpu, memory=memory, cache=cache, results=results,
                           given=given, part=part, site=site, apart=apart, beside=beside, **constants)


def compile(source: Source, *, set: Optional[Mapping[str, Constant]] = None, model: Optional[str] = None,
            precision: Optional[str] = None, cpu: Optional[str] = None, memory: int = 0, cache: bool = True, samples: int = 0,
            positions: int = 0, threads: int = 0, results: Sequence[str] = (), given: Sequence[str] = (),
            **constants: Constant) -> Model:
    """Compiles a `.hc` file, or text, to a model in memory of its own.

    source: a path, or a text (a string with a line's end or a brace in it).
    constants: values of the model's constants, as `--set` takes them: `d=256`, `wiring="mhc"`.
    set: the same for names that are no Python names or are arguments here: `{"train.lr": 1e-3}`.
    model: which, of a text with several.
    precision: "f32", "bf16" (products may round factors and results to it), "bf16_streams" (and kernels hand streams on
        so) or "f64" (None: the recipe's, or "f32").
    cpu: "native" (the default), "baseline", or a processor's name as LLVM has it.
    memory: the most bytes that a training step may take; 0: no bound.
    cache: whether code is kept for the next time, as `hcc` keeps it (HCC_CACHE_DIR).
    samples, positions, threads: see `hcc.Model`.
    results, given: see `hcc.program`; `backward` then goes from the gradients of results.

    Raises CompileError where the text is wrong, ArgumentError for an option, OutOfMemory where a step
    takes more than `memory`. Warnings are Python warnings (`CompileWarning`).
    """
    made = compile_program(source, set=set, model=model, precision=precision, cpu=cpu, memory=memory, cache=cache, results=results,
                           given=given, **constants)
    return Model(made, samples=samples, positions=positions, threads=threads)


def load(path: Source, *, part: Optional[str] = None, site: int = 0, samples: int = 0, positions: int = 0, threads: int = 0) -> Model:
    """The model in a library that `hcc build FILE -o NAME.so` made. Raises ModelError where it is none
    or was built for another version, CpuError where this machine lacks what it needs. part: of a
    connection (`hcc build --connection`) "begin", "read", "write", "turn" or "end"; site: whose, from 0."""
    return Model(load_program(_os.fspath(path), part, site), samples=samples, positions=positions, threads=threads)
