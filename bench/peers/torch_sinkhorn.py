"""Time Sinkhorn's scaling of many small matrices in PyTorch: the package's `sinkhorn_knopps`.

    python torch_sinkhorn.py --matrices 8192 [--compile]

The scalar that is differentiated is sum(G * M), by one 4 x 4 matrix that is added to all logits, as
in bench/sinkhorn.hc.  Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing import add_compile, add_options, passes, peer, prepare  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--matrices", type=int, default=8192)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--iters", type=int, default=20)
    add_compile(parser)
    add_options(parser)
    return parser.parse_args()


def main():
    args = parse()
    torch = prepare(args.threads)
    from hyper_connections.manifold_constrained_hyper_connections import sinkhorn_knopps
    from torch import nn

    torch.manual_seed(1)

    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            self.A = nn.Parameter(torch.zeros(args.n, args.n))

        def forward(self, L, G):
            return (G * sinkhorn_knopps(L + self.A, args.iters)).sum()

    model = Alone()
    L, G = torch.randn(2, args.matrices, args.n, args.n)
    step = torch.compile(model) if args.compile else model

    def clear():
        model.A.grad = None

    found = passes(lambda: step(L, G), lambda loss: loss.backward(), clear, args.warmup, args.steps)
    found["peer"], found["config"] = peer(torch, args.compile), vars(args)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
