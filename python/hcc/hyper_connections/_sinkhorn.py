"""Doubly stochastic scaling of tensors, compiled: what constrains the mixing in the manifold classes."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

from torch import Tensor

from . import _parts


def sinkhorn_knopps(log_alpha: Tensor, iters: int = 20) -> Tensor:
    """exp of [..., source, destination], with the sums over sources and then those over destinations
    made 1, `iters` times."""
    square = _parts.size(log_alpha, -2) == _parts.size(log_alpha, -1) and iters > 0
    return _scaled("sources_last" if square else "oblong_sources_last", log_alpha, iters)


def log_domain_sinkhorn_knopps(log_alpha: Tensor, iters: int = 20) -> Tensor:
    """The same in logarithms: slower, and exact for entries of any size."""
    return _scaled("sources_last_log", log_alpha, iters)


def _scaled(function: str, log_alpha: Tensor, iters: int) -> Tensor:
    model = (f"model scaled {{ positions t <= {_parts.MOST_POSITIONS}; "
             f"input L[t, {_parts.size(log_alpha, -2)}, {_parts.size(log_alpha, -1)}] : real; "
             f"let M = {function}(L, {max(iters, 0)}); }}")
    made = _parts.function("manifold", model, ("M",), _parts.precision(log_alpha))
    rows = log_alpha.reshape(1, -1, *log_alpha.shape[-2:])
    return _parts.run(made, {"L": rows}, {})["M"].reshape(log_alpha.shape)


def compiled(function: Any) -> Optional[tuple[bool, int]]:
    """(in logarithms, turns) where it is a partial of these, which sites have compiled in; else None."""
    own = {sinkhorn_knopps: False, log_domain_sinkhorn_knopps: True}
    if not isinstance(function, partial) or function.args or function.func not in own or \
            set(function.keywords) - {"iters"}:
        return None
    return own[function.func], function.keywords.get("iters", 20)
