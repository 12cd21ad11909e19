"""Compiled programs within PyTorch: `torch.nn.Module`s whose passes run compiled code inside autograd."""

from ._primitive import Argument, Parameter, Primitive

__all__ = ["Argument", "Parameter", "Primitive"]
