"""Reference implementations in PyTorch: oracles for tests, peers for benchmarks.

Nothing in the product imports this package.  Parameter names, shapes and initial values
follow the `.hc` definitions, so weights move between both sides by name (safetensors).
"""

from . import constrained, depth, package  # noqa: F401  (add their connections to the table)
from .connections import CONNECTIONS, make_connection, sinkhorn
from .gpt import GPT, GPTConfig, load_weights, save_weights

__all__ = [
    "CONNECTIONS",
    "make_connection",
    "sinkhorn",
    "GPT",
    "GPTConfig",
    "load_weights",
    "save_weights",
]
