#!/usr/bin/env python3
"""Products alone: hcc's generated kernels against OpenBLAS by core type, and PyTorch's MKL and oneDNN.

    cmake --build build --target bench_products
    python bench/products.py --program build/tests/bench_products --python PYTHON --out FILE.json

All products of a training step of the 4 x 768 and the 12 x 256 GPT: of each layer forward, its input's
gradient and its weights'. Every contestant is a process that has all operands ready and waits; in a
round each makes each product, in turns, the fastest of three in a row. Ratios are formed inside a
round, their median over rounds is told: above 1 hcc is faster. `all` weighs products as a step has
them. The best core type is that of each product, as the processor has it; in bf16 OpenBLAS, which
has none, multiplies in f32.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
from measure import BenchError, Waiting, load, machine, summary  # noqa: E402
from report import spread, table  # noqa: E402

BEST = "the best OpenBLAS"
CORES = ["Haswell", "SkylakeX", "Zen"]
STEPS = {"4 × 768": {"blocks": 4, "d": 768, "positions": 2048, "vocab": 256},
         "12 × 256": {"blocks": 12, "d": 256, "positions": 2048, "vocab": 256}}


def products_of(blocks, d, positions, vocab):
    """{(m, n, k, left transposed, right transposed): how many of them in a step} of examples/gpt.hc."""
    layers = [(d, d, 4 * blocks), (4 * d, d, blocks), (d, 4 * d, blocks), (vocab, d, 1)]
    found = {}
    for outputs, inputs, count in layers:
        for product in ((positions, outputs, inputs, 0, 1), (positions, inputs, outputs, 0, 0),
                        (outputs, inputs, positions, 1, 0)):
            found[product] = found.get(product, 0) + count
    return found


def contestants(options, precision, threads, texts):
    """{name: (process, what it is asked)}; OpenBLAS's core types only where the library has them."""
    def program(core):
        return Waiting([options.program, options.cpu, threads, precision, *texts],
                       {"OPENBLAS_CORETYPE": core} if core else {})

    own = program(None)
    found = {"hcc": (own, "generated"), f"OpenBLAS, {own.greeting['openblas']}": (own, "openblas")}
    for core in options.cores if precision == "f32" else []:
        name = f"OpenBLAS, {core}"
        if name not in found:
            process = program(core)
            if process.greeting["openblas"] == core:
                found[name] = (process, "openblas")
            else:
                process.end()
    if options.python:
        script = os.path.join(HERE, "peers", "torch_products.py")
        found["PyTorch"] = (Waiting([options.python, script, "--threads", threads, "--precision",
                                     precision, *texts], {}), "torch")
    return found, own.greeting["kernels"]


def measure(options, step, precision, threads):
    """{contestant: for each product seconds by round}."""
    products = products_of(**STEPS[step])
    who, kernels = contestants(options, precision, threads,
                               [",".join(map(str, product)) for product in products])
    names = list(who)
    seconds = {name: [[] for _ in products] for name in names}
    try:
        for number in range(options.rounds):
            for at in range(len(products)):
                turn = (number + at) % len(names)
                for name in names[turn:] + names[:turn]:
                    process, question = who[name]
                    seconds[name][at].append(process.ask(f"{question} {at}"))
    finally:
        for process, _ in who.values():
            process.end()
    return {"step": step, "precision": precision, "threads": threads, "kernels": kernels,
            "products": [[*product, count] for product, count in products.items()],
            "seconds": seconds}


# --- what came out --------------------------------------------------------------------------------


def best(names, seconds, at):
    return min(names, key=lambda name: statistics.median(seconds[name][at]))


def rivals(found):
    """{who is compared with: for each product whose seconds}."""
    seconds, count = found["seconds"], len(found["products"])
    blas = [name for name in seconds if name.startswith("OpenBLAS")]
    who = {name: [name] * count for name in seconds if name != "hcc"}
    if found["precision"] == "f32":
        who[BEST] = [best(blas, seconds, at) for at in range(count)]
    return who


def ratio(found, names, ats):
    """Seconds of the rivals over hcc's, of these products as a step has them, formed in each round."""
    seconds, counts = found["seconds"], [product[-1] for product in found["products"]]
    rounds = range(len(seconds["hcc"][0]))

    def together(name_of, number):
        return sum(counts[at] * seconds[name_of(at)][at][number] for at in ats)

    return summary([together(lambda at: names[at], r) / together(lambda at: "hcc", r)
                    for r in rounds])


def markdown(found):
    seconds, who = found["seconds"], rivals(found)
    every = range(len(found["products"]))
    rows = []
    for at, (m, n, k, left, right, count) in enumerate(found["products"]):
        speed = 2e-9 * m * n * k / statistics.median(seconds["hcc"][at])
        name = f"{m} × {n} × {k}{', Aᵀ' if left else ''}{', Bᵀ' if right else ''}"
        rows.append([name, str(count), f"{speed:.0f}",
                     *(spread(ratio(found, names, [at])) for names in who.values())])
    rows.append(["**all**", "", "", *(spread(ratio(found, names, every)) for names in who.values())])
    threads = f"{found['threads']} thread" + "s" * (found["threads"] > 1)
    return [f"**{found['step']}, {found['precision']}, {threads}** (kernels of {found['kernels']})",
            "", *table(["M × N × K", "in a step", "GFLOP/s", *who], rows)]


def together(results):
    """{(step, precision, threads, rival): ratio over all products}, for who wants to compare."""
    return {(f["step"], f["precision"], f["threads"], name):
            ratio(f, names, range(len(f["products"])))
            for f in results for name, names in rivals(f).items()}


def overview(results):
    """A line for all products of a step; columns are all rivals there are."""
    ratios, lines = together(results), []
    rivals_all = list(dict.fromkeys(key[-1] for key in ratios))
    for found in results:
        key = (found["step"], found["precision"], found["threads"])
        lines.append([key[0], key[1], str(key[2]),
                      *(spread(ratios.get((*key, name))) for name in rivals_all)])
    return table(["step", "precision", "threads", *rivals_all], lines)


def some_of(known):
    def parse(text):
        words = text.split(",")
        if set(words) - set(known):
            raise argparse.ArgumentTypeError(f"takes some of {','.join(known)}")
        return words
    return parse


def options_of(words=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", metavar="FILE", help="what target bench_products builds",
                        default=os.path.join(ROOT, "build", "tests", "bench_products"))
    parser.add_argument("--python", help="one that has PyTorch; none: without it")
    parser.add_argument("--precision", type=some_of(["f32", "bf16"]), default=["f32", "bf16"])
    parser.add_argument("--steps", type=some_of(STEPS), default=list(STEPS),
                        help=",".join(STEPS))
    parser.add_argument("--threads", type=lambda s: [int(x) for x in s.split(",")], default=[1, 2])
    parser.add_argument("--cores", type=lambda s: s.split(","), default=CORES,
                        help="core types of OpenBLAS besides its choice (%(default)s)")
    parser.add_argument("--cpu", default="native", help="what the generated kernels are for")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", metavar="FILE", help="JSON, with the seconds of every round")
    return parser.parse_args(words)


def run(options):
    return [measure(options, step, precision, threads) for precision in options.precision
            for step in options.steps for threads in options.threads]


def main():
    options, where = options_of(), machine()
    try:
        results = run(options)
    except BenchError as error:
        sys.exit(f"error: {error}")
    where["load_after"] = load()
    print(f"{where['cpu']}, {where['cores']} cores, {where['vectors']}; {options.rounds} rounds; load "
          f"{where['load_before']:.1f} before, {where['load_after']:.1f} after.\n")
    print("\n".join(overview(results)))
    for found in results:
        print("\n".join(markdown(found)))
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump({"machine": where, "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
