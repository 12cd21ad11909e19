#!/usr/bin/env python3
"""Low-rank products inside a connection against the same products as OpenBLAS makes them alone.

    cmake --build build --target bench_products
    python bench/low_rank.py --hcc build/hcc --program build/tests/bench_products --out FILE.json

A connection whose read goes through `rank` numbers, 768 features, 4096 positions, f32, its two matrices
written with features last and with features first (bench/low_rank.hc). Its products: two forward, and
backward those of two inputs and of two matrices. Their time is what all calls of a step take, less those
of the same model without them. OpenBLAS makes each from operands that lie in memory, in whichever order
it is faster, and nothing else. The ratio is OpenBLAS's time over hcc's: above 1 hcc is faster; `large`
is the share of the speed of a product of 4096 x 768 x 768. Formed in each round, in which everyone runs
once, in turn; medians and ranges.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from measure import Waiting, load, machine, run_json, summary  # noqa: E402
from report import spread, table  # noqa: E402

MODEL = os.path.join(HERE, "low_rank.hc")
D, POSITIONS, BLOCKS = 768, 4096, 4
LARGE = (POSITIONS, D, D, 0, 1)
LAYOUTS = {"features_last": "`[r, d]`", "features_first": "`[d, r]`"}
PASSES = ("forward", "backward")


def products_of(rank):
    """By pass: of each product all orders in which its operands may lie."""
    down = [(POSITIONS, rank, D, 0, 1), (POSITIONS, rank, D, 0, 0)]
    up = [(POSITIONS, D, rank, 0, 0), (POSITIONS, D, rank, 0, 1)]
    weights = [(rank, D, POSITIONS, 1, 0), (D, rank, POSITIONS, 1, 0)]
    return {"forward": [down, up], "backward": [down, up, weights, weights]}


def calls_of(o, wiring, rank):
    """Seconds of all calls by pass."""
    words = [o.hcc, "bench", MODEL, "--json", "--profile", "--threads", o.threads, "--steps", 3,
             "--set", f"wiring={wiring}", "--set", f"rank={rank}"]
    calls = run_json(words, o.timeout)["calls"]
    return {kind: sum(c["ms"] for c in calls if c["pass"] == kind) / 1e3 for kind in PASSES}


def round_of(o, blas, shapes):
    """{(rank, layout, pass): (seconds, OpenBLAS's, those at the speed of the large product)}."""
    found = {}
    seconds = {shape: blas.ask(f"openblas {k}") for k, shape in enumerate(shapes)}
    large = seconds[LARGE] / (POSITIONS * D)
    plain = calls_of(o, "plain", o.ranks[0])
    for rank in o.ranks:
        for layout in LAYOUTS:
            took = calls_of(o, layout, rank)
            for kind, products in products_of(rank).items():
                alone = sum(min(seconds[order] for order in orders) for orders in products)
                work = large * POSITIONS * rank * len(products)
                found[rank, layout, kind] = (took[kind] - plain[kind], BLOCKS * alone, BLOCKS * work)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--program", required=True, help="what target bench_products builds")
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--ranks", type=lambda s: [int(x) for x in s.split(",")], default=[4, 8, 16, 32, 64])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--timeout", type=float, default=600)
    o = parser.parse_args()
    where = machine()
    shapes = [LARGE] + sorted({order for rank in o.ranks for products in products_of(rank).values()
                               for orders in products for order in orders})
    blas = Waiting([o.program, o.cpu, o.threads, "f32", *(",".join(map(str, s)) for s in shapes)], {})
    try:
        rounds = [round_of(o, blas, shapes) for _ in range(o.rounds)]
    finally:
        blas.end()
    lines, rows = [], []
    for rank in o.ranks:
        for layout, text in LAYOUTS.items():
            row = [str(rank), text]
            for kind in PASSES:
                found = [r[rank, layout, kind] for r in rounds]
                alone, large = (summary([x[k] / x[0] for x in found]) for k in (1, 2))
                lines.append({"rank": rank, "layout": layout, "pass": kind, "over_openblas": alone,
                              "over_large": large, "seconds": [x[0] for x in found]})
                row += [spread(alone), f"{large['median']:.2f}"]
            rows.append(row)
    print("\n".join(table(["rank", "matrices", "forward", "large", "backward", "large"], rows)))
    where["load_after"] = load()
    if o.out:
        with open(o.out, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "threads": o.threads, "lines": lines}, file, indent=1)


if __name__ == "__main__":
    main()
