"""Memory for what calls save, used again. It is large and of one size, step after step: taken from the
system each time, most of a step would be spent on pages that are touched first."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

_ALIGNED = 64


class _Block(np.ndarray):  # type: ignore[type-arg]
    """Goes back to where it was taken when the tensor that it lies under is no more."""

    blocks: "Blocks"

    def __del__(self) -> None:
        blocks = getattr(self, "blocks", None)  # views that NumPy makes of it have none
        if blocks is not None:
            blocks._give(self)


class Blocks:
    """Blocks of the size that was asked for last; those of another size go."""

    def __init__(self) -> None:
        self._size = 0
        self._idle: list[Any] = []

    def take(self, size: int) -> torch.Tensor:
        """A tensor of bytes, 64-byte aligned, with any values."""
        if size != self._size:
            self._size, self._idle = size, []
        memory = self._pop()
        while memory is not None and memory.size < size + _ALIGNED:  # given back while the size changed
            memory = self._pop()
        if memory is None:
            memory = np.empty(size + _ALIGNED, np.uint8)
        first = -memory.ctypes.data % _ALIGNED
        block = memory[first:first + size].view(_Block)
        block.blocks = self
        return torch.frombuffer(block, dtype=torch.uint8)

    def _pop(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _give(self, block: _Block) -> None:
        if block.size == self._size:
            self._idle.append(block.base)
