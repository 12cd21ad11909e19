#!/usr/bin/env python3
"""Whether an installed package has all it needs: compiles, trains in f32 and in bf16, also within PyTorch
where that is there, and looks at which libraries are in this process. `python -I try_wheel.py`, in the
environment to try; with --bundled (scripts/wheel.sh) LLVM and OpenBLAS are to be those of the package."""

import importlib.util
import os
import sys

import hcc
import numpy as np

TEXT = """use std;
model tried {
  const d = 64;
  positions t <= 16 causal;
  input x[t, d] : real;
  target y[t, d] : real;
  let h = trunk(x) { repeat 2 { attn = mhc(n = 4) : attention(4, causal = true); mlp = mhc(n = 4) : mlp(128); } };
  loss mse(h, y);
}
train tried { batch 4; steps 20; lr 0.01; }
"""
X = np.random.default_rng(0).standard_normal((4, 16, 64)).astype(np.float32)
Y = np.roll(X, 1, 1)


def libraries():
    with open("/proc/self/maps", encoding="utf-8") as file:
        return {line.split()[-1] for line in file if ".so" in line}


def train(what, losses):
    """Losses, each before a step, that are to fall."""
    losses = list(losses)
    assert losses[-1] < losses[0], (what, losses)
    print(f"{what}: loss {losses[0]:.4f} -> {losses[-1]:.4f}", flush=True)


def alone(precision):
    model = hcc.compile(TEXT, precision=precision)
    assert model.program.precision == precision
    model.init(1)
    for _ in range(20):
        yield model.forward_backward(x=X, y=Y)
        model.step()


def within_pytorch(module):
    import torch
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for _ in range(20):
        loss = torch.nn.functional.mse_loss(module(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def branch(nn):
    return nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64))


def dropped_in(nn):
    """What a script on the package hyper-connections has once its import is changed."""
    from hcc.hyper_connections import get_init_and_expand_reduce_stream_functions
    connect, expand, reduce = get_init_and_expand_reduce_stream_functions(4)
    sites = (connect(dim=64, branch=branch(nn), layer_index=k) for k in range(3))
    return nn.Sequential(expand, *sites, reduce)


train("f32", alone("f32"))
train("bf16", alone("bf16"))
if importlib.util.find_spec("torch"):
    os.environ["HCC_FALLBACK"] = "error"
    import hcc.torch
    from torch import nn, __version__ as pytorch
    print(f"PyTorch {pytorch}")
    train("a text as a module", within_pytorch(hcc.torch.compile(TEXT, results="h")))
    train("in bf16", within_pytorch(hcc.torch.compile(TEXT, results="h", precision="bf16")))
    train("a connection around modules",
          within_pytorch(hcc.torch.connection("mhc(n = 4)", branch(nn), branch(nn), dim=64)))
    train("the package hyper-connections, its import changed", within_pytorch(dropped_in(nn)))
else:
    print("PyTorch is not there: hcc.torch and hcc.hyper_connections were not tried")
package = os.path.dirname(os.path.dirname(hcc.__file__))
found = sorted(path for path in libraries() if any(name in path for name in ("LLVM", "openblas", "libhcc", "jansson")))
print(f"hcc {hcc.__version__}, with")
for path in found:
    print(" ", path)
if "--bundled" in sys.argv:
    outside = [path for path in found if not path.startswith(package)]
    assert not outside, f"not of the package: {outside}"
