"""`hyper_connections` 0.4.11, the package, on compiled kernels: the same names, arguments, parameters and
results. Scripts change the import:

    from hcc.hyper_connections import get_init_and_expand_reduce_stream_functions

and their state dictionaries load. docs/pytorch_dropin.md says what is left to PyTorch; `fallbacks()` says
how often that was, and HCC_FALLBACK=error in the environment forbids it.
"""

from ._fallback import FallbackError, fallbacks
from .hyper_connections import (AttentionPoolReduceStream, HyperConnections, Residual, StreamEmbed,
                                get_expand_reduce_stream_functions, get_init_and_expand_reduce_stream_functions)
from .manifold_constrained_hyper_connections import ManifoldConstrainedHyperConnections
from .manifold_constrained_hyper_connections import \
    get_expand_reduce_stream_functions as mc_get_expand_reduce_stream_functions
from .manifold_constrained_hyper_connections import \
    get_init_and_expand_reduce_stream_functions as mc_get_init_and_expand_reduce_stream_functions

mHC = ManifoldConstrainedHyperConnections

__all__ = [
    "AttentionPoolReduceStream", "FallbackError", "HyperConnections", "ManifoldConstrainedHyperConnections", "Residual",
    "StreamEmbed", "fallbacks", "get_expand_reduce_stream_functions", "get_init_and_expand_reduce_stream_functions",
    "mHC", "mc_get_expand_reduce_stream_functions", "mc_get_init_and_expand_reduce_stream_functions"
]
