#!/usr/bin/env python3
"""Whether an installed package has all it needs: compiles, trains, and looks at which libraries are in
this process. `python -I try_wheel.py`, in the environment to try; with --bundled (scripts/wheel.sh)
LLVM and OpenBLAS are to be those of the package."""

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


def libraries():
    with open("/proc/self/maps", encoding="utf-8") as file:
        return {line.split()[-1] for line in file if ".so" in line}


model = hcc.compile(TEXT)
model.init(1)
x = np.random.default_rng(0).standard_normal((4, 16, 64))
losses = []
for _ in range(20):
    losses.append(model.forward_backward(x=x, y=np.roll(x, 1, 1)))
    model.step()
assert losses[-1] < losses[0], losses
package = os.path.dirname(os.path.dirname(hcc.__file__))
found = sorted(path for path in libraries() if any(name in path for name in ("LLVM", "openblas", "libhcc", "jansson")))
print(f"hcc {hcc.__version__}: loss {losses[0]:.4f} -> {losses[-1]:.4f}")
for path in found:
    print(" ", path)
if "--bundled" in sys.argv:
    outside = [path for path in found if not path.startswith(package)]
    assert not outside, f"not of the package: {outside}"
