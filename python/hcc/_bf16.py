"""bf16, the upper half of a float32, of which NumPy has no type: its bits as uint16."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def from_bits(bits: NDArray[Any]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """To nearest, ties to even; a NaN stays one."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7fff) + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(values), bits >> 16 | 0x40, rounded).astype(np.uint16)
