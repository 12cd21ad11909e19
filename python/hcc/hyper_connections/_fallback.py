"""What is left to PyTorch: how often, and whether that is allowed."""

from __future__ import annotations

import os
from collections import Counter

_counts: Counter[str] = Counter()


class FallbackError(RuntimeError):
    """HCC_FALLBACK=error, and a site would have left something to PyTorch."""


def fallbacks() -> dict[str, int]:
    """How often something was left to PyTorch since the process began, by what it was. Empty: never."""
    return dict(_counts)


def fall_back(reason: str) -> None:
    """Counts it; raises where HCC_FALLBACK=error forbids it."""
    if os.environ.get("HCC_FALLBACK") == "error":
        raise FallbackError(f"{reason} would run in PyTorch, and HCC_FALLBACK=error forbids that")
    _counts[reason] += 1


# Who traces a site calls it while he traces, as torch.compiler.assume_constant_result says (see _parts).
fall_back._dynamo_marked_constant = True  # type: ignore[attr-defined]
