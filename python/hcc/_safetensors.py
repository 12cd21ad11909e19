"""safetensors files as arrays. (Models read them by libhcc; this is for looking at them.)"""

from __future__ import annotations

import json
import os
import struct
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from . import _bf16, _errors

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
          "U8": "|u1", "BOOL": "|b1"}


def _array(data: bytes, kind: str, shape: list[int]) -> NDArray[Any]:
    array = np.frombuffer(data, np.dtype(_TYPES[kind])).reshape(shape)
    return _bf16.from_bits(array) if kind == "BF16" else array.copy()


def read(path: Union[str, "os.PathLike[str]"]) -> dict[str, NDArray[Any]]:
    """All tensors of a file, by name; BF16 becomes float32. CheckpointError where it is damaged."""
    try:
        with open(path, "rb") as file:
            text = file.read()
        length, = struct.unpack_from("<Q", text)
        if length > len(text) - 8:
            raise ValueError("its header is longer than the file")
        header = json.loads(text[8:8 + length])
        header.pop("__metadata__", None)
        data = text[8 + length:]
        return {name: _array(data[slice(*one["data_offsets"])], one["dtype"], one["shape"])
                for name, one in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise _errors.CheckpointError(f"cannot read '{os.fspath(path)}': {error}") from None
