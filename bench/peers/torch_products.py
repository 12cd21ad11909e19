"""Matrix products in PyTorch, for bench/products.py: MKL's in f32, oneDNN's in bf16.

    python torch_products.py --threads 2 --precision bf16 M,N,K,A,B ...

A is 1 where the left operand lies transposed, B the same of the right one.  Answers as bench/products.c
does: a line `torch S` on standard input with the seconds of product S, the fastest of a few.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing import PRECISIONS, prepare  # noqa: E402

REPEATS = 3
SETTLES = 5e-3  # seconds: see bench/products.c


def operands(torch, text, dtype):
    m, n, k, left, right = map(int, text.split(","))
    a = torch.randn((k, m) if left else (m, k)).to(dtype)
    b = torch.randn((n, k) if right else (k, n)).to(dtype)
    return a.t() if left else a, b.t() if right else b, torch.empty(m, n, dtype=dtype)


def fastest(torch, a, b, out):
    times, begun = [], time.perf_counter()
    while time.perf_counter() - begun < SETTLES:
        torch.mm(a, b, out=out)
    for _ in range(REPEATS):
        begun = time.perf_counter()
        torch.mm(a, b, out=out)
        times.append(time.perf_counter() - begun)
    return min(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=PRECISIONS, default="f32")
    parser.add_argument("products", nargs="+")
    options = parser.parse_args()
    torch = prepare(options.threads)
    torch.manual_seed(1)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    products = [operands(torch, text, dtype) for text in options.products]
    for product in products:
        fastest(torch, *product)
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(fastest(torch, *products[int(line.split()[1])]), flush=True)


if __name__ == "__main__":
    main()
