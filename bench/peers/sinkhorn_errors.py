"""How far sums of scaled matrices are from one, by destination and by source; one JSON object.

    python sinkhorn_errors.py --library sinkhorn.so     # of bench/sinkhorn.hc, by `hcc build`
    python sinkhorn_errors.py                           # the package's, in PyTorch

Both sides scale the same logits.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def by_hcc(path, logits, count):
    """Flat: matrix, destination, source."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "tests", "diff"))
    import library

    with library.Model(path, samples=1, positions=count) as model:
        model.init(1)
        model.set_input("L", logits)
        model.set_input("G", [0.0] * len(logits))
        model.forward()
        name = next(probe["name"] for probe in model.manifest["plan"]["outputs"]["probes"])
        return model.output(name)[0]


def by_torch(logits, count, n, iters):
    sys.path.insert(0, HERE)
    from timing import prepare

    torch = prepare(1)
    from hyper_connections.manifold_constrained_hyper_connections import sinkhorn_knopps

    scaled = sinkhorn_knopps(torch.tensor(logits).view(count, n, n), iters)
    return scaled.transpose(1, 2).flatten().tolist()  # the package has sources first


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library")
    parser.add_argument("--matrices", type=int, default=4096)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--iters", type=int, default=20)
    args = parser.parse_args()
    draw, n, count = random.Random(1), args.n, args.matrices
    logits = [draw.gauss(0, 1) for _ in range(count * n * n)]
    flat = (by_hcc(args.library, logits, count) if args.library
            else by_torch(logits, count, n, args.iters))
    errors = {"destinations": [], "sources": []}
    for at in range(0, len(flat), n * n):
        m = [flat[at + k * n: at + k * n + n] for k in range(n)]
        errors["destinations"] += [abs(sum(row) - 1) for row in m]
        errors["sources"] += [abs(sum(row[j] for row in m) - 1) for j in range(n)]
    found = {}
    for name, values in errors.items():
        found[name + "_max"], found[name + "_mean"] = max(values), sum(values) / len(values)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
