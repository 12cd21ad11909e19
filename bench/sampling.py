#!/usr/bin/env python3
"""What a token of a text that goes on takes: time over length, and against reading the weights once.

    python bench/sampling.py --hcc build/hcc [--threads 2] [--tokens 1800] [--set wiring=mhc ...]

A GPT of 12 x 768 at context 2048 in f32, batch 1, built as a shared library, with random weights.
After a prompt of one token it computes one position after the other. Told are the time of all of
them against that of a quarter (a flat time a token gives 4), and the share of the bound that reading
the weights sets: their bytes over the bandwidth at which as many threads read memory, measured beside
each stretch of tokens. The share is the median over stretches. With one thread all times are those of the
processor, so that what else runs takes nothing but bandwidth; with more nothing else may run.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "diff")]
from library import Model, build
from measure import machine, read_bandwidth

STRETCH = 50


def weights(model):
    """Bytes of all parameters that a position reads: an embedding that is not the head has one row."""
    return sum(parameter.data._length_ * (8 if model.real.__name__ == "c_double" else 4)
               for parameter in model.parameters.values())


def measure(model, tokens, threads):
    """Seconds of each token, the bandwidth at each stretch, and each stretch's share of the bound."""
    seconds, bandwidths, shares = [], [], []
    clock = time.thread_time if threads == 1 else time.perf_counter
    model.init(1)
    model.training(False)
    model.set_input("tokens", [k * 7 % 256 for k in range(tokens + 1)]
                    + [0] * (model.c_positions(model.context) - tokens - 1))
    model.check(model.c_extend(model.context, 0, 1))
    for k in range(1, tokens + 1):
        if k % STRETCH == 1:
            bandwidths.append(read_bandwidth(threads, repeats=2))
        begun = clock()
        model.check(model.c_extend(model.context, k, 1))
        seconds.append(clock() - begun)
        if k % STRETCH == 0:
            shares.append(weights(model) / bandwidths[-1] / statistics.median(seconds[-STRETCH:]))
    return seconds, bandwidths, shares


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1800)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    os.environ["HCC"] = options.hcc
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)
    constants = {"context": 2048, "blocks": 12, **dict(word.split("=", 1) for word in options.set)}
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        path = build(os.path.join(folder, "gpt.so"), file=os.path.join(ROOT, "examples", "gpt.hc"),
                     **constants)
        with Model(path, samples=1, threads=options.threads) as model:
            bytes_read = weights(model)
            seconds, bandwidths, shares = measure(model, options.tokens, options.threads)
    quarter = options.tokens // 4
    print(json.dumps({
        "machine": about, "threads": options.threads, "settings": constants, "tokens": options.tokens,
        "weight_bytes": bytes_read, "bytes_a_second": statistics.median(bandwidths),
        "ms_first_quarter": 1e3 * statistics.median(seconds[:quarter]),
        "ms_last_quarter": 1e3 * statistics.median(seconds[-quarter:]),
        "times_a_quarter": sum(seconds) / sum(seconds[:quarter]),
        "times_a_quarter_by_medians": sum(statistics.median(seconds[k * quarter:(k + 1) * quarter])
                                          for k in range(4)) / statistics.median(seconds[:quarter]),
        "share_of_bound_first_quarter": statistics.median(shares[:max(1, len(shares) // 4)]),
        "share_of_bound": statistics.median(shares)}, indent=1))


if __name__ == "__main__":
    main()
