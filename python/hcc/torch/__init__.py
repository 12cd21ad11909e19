"""Compiled programs within PyTorch: `torch.nn.Module`s whose passes run compiled code inside autograd.

    import hcc.torch

    trunk = hcc.torch.compile("trunk.hc", results="h", d=512)      # a module as any other
    y = trunk(x)                                                   # [batch, positions, 512]

    model = hcc.torch.load("runs/gpt-1")                           # what `hcc train` left
    logits = model(tokens)

    block = hcc.torch.connection("mhc(n = 4)", attention, mlp, dim=512)   # around modules of yours

Contiguous float32 tensors on the CPU are read and written where they lie; with precision="bf16_streams"
bfloat16 ones are.
"""

from ._arguments import Argument, Parameter
from ._connection import Connection, Streams, connection
from ._module import Module, compile, load
from ._primitive import Primitive

__all__ = ["Argument", "Connection", "Module", "Parameter", "Primitive", "Streams", "compile", "connection", "load"]
