"""Time connections without branches worth naming in PyTorch: forward and backward.

    python torch_connection.py --wiring shc|dhc|mhc|frac|residual [--compile] [--sites 10]

With --sites 0 it is one connection around a branch that normalises what it is given: streams in
memory, streams out, a gradient in, gradients of streams and parameters out. Otherwise a chain of so
many from one vector a position to a loss.  Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing import WIRINGS, add_compile, add_options, passes, peer, prepare  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wiring", choices=WIRINGS, default="shc")
    parser.add_argument("--positions", type=int, default=320)
    parser.add_argument("--d", type=int, default=1280)
    parser.add_argument("--n", type=int, default=4, help="streams, or fractions")
    parser.add_argument("--sites", type=int, default=0, help="0: one connection by itself")
    add_compile(parser)
    add_options(parser)
    return parser.parse_args()


def main():
    args = parse()
    torch = prepare(args.threads)
    from torch import nn
    from torch_wirings import make

    torch.manual_seed(1)
    site, expand, reduce, shape = make(args.wiring, args.n, args.d)

    class Norm(nn.Module):
        def forward(self, x):
            return nn.functional.rms_norm(x, (args.d,), eps=1e-6)

    class Chain(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(args.d))
            self.sites = nn.ModuleList(site(k, Norm()) for k in range(args.sites))
            self.expand, self.reduce, self.norm = expand, reduce, Norm()

        def forward(self, x, target):
            h = self.expand(self.gain * x)
            for one in self.sites:
                h = one(h)
            return nn.functional.mse_loss(self.norm(self.reduce(h)), target)

    if args.sites:
        model = Chain()
        x, target = torch.randn(2, 1, args.positions, args.d)
        given, leaves = (x, target), []
        backward = lambda loss: loss.backward()  # noqa: E731
    else:
        model = site(0, Norm())
        H = torch.randn(shape(1, args.positions), requires_grad=True)
        G = torch.randn(shape(1, args.positions))
        given, leaves = (H,), [H]
        backward = lambda out: out.backward(G)  # noqa: E731
    step = torch.compile(model) if args.compile else model

    def clear():
        for p in [*model.parameters(), *leaves]:
            p.grad = None

    found = passes(lambda: step(*given), backward, clear, args.warmup, args.steps)
    found["peer"], found["config"] = peer(torch, args.compile), vars(args)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
