#!/usr/bin/env python3
"""What hyper-connections cost against what they may cost: docs/targets.md and a JSON file.

    python bench/targets.py --hcc build/hcc --out targets.json [--rounds 5] [--rows step,memory]
        [--python PYTHON] [--handwritten FOLDER] [--markdown docs/targets.md]

Everything is hcc against itself, against OpenBLAS, PyTorch (of PYTHON), what this machine can move and
multiply, or kernels written by hand (FOLDER with their bench.c).

step      a training step of the 4 x 768 GPT (context 512, batch 4) over the plain residual's, the same
          for 12 x 256 (context 256, batch 8) and for connections that read earlier outputs
products  the matrix products of such steps alone, in f32 against the best of OpenBLAS's kernels, in
          bf16 against PyTorch's (bench/products.py)
precision steps in bf16 over those in f32, and over the plain residual's in bf16
peers     the 4 x 768 step in PyTorch, eager and compiled, in f32 and bf16, over hcc's
choice    a step where OPENBLAS_CORETYPE names lesser kernels, over one without
avx2      kernels of connections without AVX-512, backward, over those with it
kernels   one site's kernels of a connection nobody wrote by hand against bytes + operations; with
          --handwritten also those of mHC and static HC against the hand's
recurrence  768 features over 8192 positions of one sample: what it reads and writes in its time, over
          what is copied beside it
threads   two threads over one
memory    activations of 12 x 512, 4096 positions, over the plain residual's
compile   hcc check; 12 blocks from source to code; 96 equal blocks over 12; without the cache

A ratio of steps is formed inside each round, in which everyone runs once, in turn; the median is
reported. Beside it `calls` sums every call's fastest run: what else the machine did does not count.
`kernels` does so too, with products and attention, the same work on both sides, equally long.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
import targets_products as products
from measure import BenchError, load, machine, run_text, summary
from turns import GPT, NARROW, WIDE, Table, bench, best_ratio, in_turns, of_connection, over

RECURRENCE = os.path.join(HERE, "recurrence.hc")
OWN = os.path.join(ROOT, "examples", "my_connection.hc")
COMPILES = 7
DEPTH = ["denseformer", "mudd", "attnres"]


def steps(o, table):
    asked = {"mhc": (1.067, 1.045), "dhc": (1.05, 1.035), "shc": (1.04, 1.02), "frac": (1.04, 1.02)}

    def runs(size, wirings):
        return {w: lambda w=w: bench(o, GPT, {"wiring": w, **size}) for w in ["residual", *wirings]}

    def told(found, name):
        r = over(found, name, "residual", lambda x: x["step_ms"])
        return r["median"], (f"rounds {r['min']:.3f} … {r['max']:.3f}, "
                             f"calls {best_ratio(found, name, 'residual'):.3f}, "
                             f"kernels {best_ratio(found, name, 'residual', shared=True):.3f}")

    wide = in_turns(o, runs(WIDE, asked))
    for name, (accept, target) in asked.items():
        ratio, note = told(wide, name)
        table.add(f"step, 4 × 768: {name} over residual", ratio, accept, target, note=note)
    narrow = in_turns(o, runs(NARROW, ["mhc", *DEPTH]))
    ratio, note = told(narrow, "mhc")
    table.add("step, 12 × 256: mhc over residual", ratio, 1.15, 1.10, note=note)
    for name in DEPTH:
        ratio, note = told(narrow, name)
        table.add(f"positions a second, 12 × 256: {name} over residual", 1 / ratio, 0.80, 0.88,
                  above=True, note=note + " (of times)")


def by_hand(o, d):
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "bench")
        small = ["-DBC=4", "-DVB=2"] if d <= 512 else []
        run_text(["gcc", "-O3", "-march=native", "-fopenmp", f"-DC={d}", "-DCHF=16", "-DNT=4", *small,
                  os.path.join(o.handwritten, "bench.c"), "-o", program, "-lopenblas", "-lm"],
                 o.timeout)
        text = run_text([program], o.timeout, {"OMP_NUM_THREADS": "2"})
    number = r"([\d.]+)"
    found = re.search(rf"wall min: fwd {number} bwd {number} res {number}\+{number} st "
                      rf"{number}\+{number}", text)
    if not found:
        raise BenchError(f"not what the kernels by hand print: {text[:200]!r}")
    values = list(map(float, found.groups()))
    return {"mhc": values[0:2], "shc": values[4:6]}


def kernels(o, table):
    own = bench(o, OWN, {})
    spent = least = 0
    for kind in ("forward", "backward"):
        for call in of_connection(own, "my_connection", kind):
            spent += call["ms"]
            least += call["ms"] * call["roofline"]
    if spent:
        table.add("my_connection: bytes + operations over its kernels' time", least / spent, 0.70,
                  0.90, above=True)
    if not o.handwritten:
        return
    for d in (256, 512, 768):
        size = {**WIDE, "d": d, "heads": d // 64}
        runs = {w: lambda w=w: bench(o, GPT, {"wiring": w, **size}) for w in ("mhc", "shc")}
        found = in_turns(o, {**runs, "hand": lambda d=d: by_hand(o, d)})
        for name in ("mhc", "shc"):
            for at, kind in enumerate(("forward", "backward")):
                ns = min(1e6 * c["ms"] / c["calls"] / 2048 for run in found[name]
                         for c in of_connection(run, name, kind)[:1])
                hand = min(x[name][at] for x in found["hand"])
                table.add(f"{name} {kind}, C = {d}: kernel over one by hand", ns / hand, 1.25, 1.0,
                          note=f"{ns:.0f} and {hand:.0f} ns a position")


def recurrence(o, table):
    found = in_turns(o, {"it": lambda: bench(o, RECURRENCE, {})})["it"]
    for kind in ("forward", "backward"):
        shares = [call["bytes"] / (call["ms"] * 1e-3) / run["bandwidth"] for run in found
                  for call in run["calls"] if call["pass"] == kind and call["name"].endswith("_recur")]
        share = summary(shares)
        table.add(f"recurrence {kind}, 768 × 8192 of one sample: bandwidth over a copy's", share["median"],
                  0.6, 0.8, above=True, note=f"rounds {share['min']:.2f} … {share['max']:.2f}")


def threads(o, table):
    runs = {k: lambda k=k: bench(o, GPT, {"wiring": "mhc", **WIDE}, threads=k) for k in (1, 2)}
    found = in_turns(o, runs)
    ratio = over(found, 1, 2, lambda x: x["step_ms"])
    table.add("two threads over one, mhc 4 × 768", ratio["median"], 1.8, 1.9, above=True,
              note=f"rounds {ratio['min']:.2f} … {ratio['max']:.2f}, "
                   f"calls {best_ratio(found, 1, 2):.2f}")


def memory(o, table):
    size = {"blocks": 12, "d": 512, "heads": 8, "context": 512}

    def activations(wiring):
        few, many = (bench(o, GPT, {"wiring": wiring, **size, "train.batch": batch}, steps=1)
                     for batch in (2, 4))
        return 2 * (many["peak_bytes"] - few["peak_bytes"])  # what 4096 positions need

    plain = activations("residual")
    for wiring in ("mhc", "dhc"):
        found = activations(wiring)
        table.add(f"activations, 12 × 512, 4096 positions: {wiring} over residual", found / plain,
                  1.6, 1.3, note=f"{found / 1e6:.0f} and {plain / 1e6:.0f} MB")


def compile_times(o, table):
    def seconds(words):
        begun = time.perf_counter()
        run_text(words, o.timeout)
        return time.perf_counter() - begun

    def code(blocks):
        words = [o.hcc, "bench", GPT, "--no-cache", "--time-passes", "--steps", "1"]
        size = {**NARROW, "blocks": blocks, "context": 16, "train.batch": 1}
        for name, value in {"wiring": "mhc", **size}.items():
            words += ["--set", f"{name}={value}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=o.timeout, check=True)
        return float(re.search(r"([\d.]+) ms +total", done.stdout + done.stderr)[1]) / 1e3

    table.add("hcc check", min(seconds([o.hcc, "check", GPT]) for _ in range(5)), 0.1, 0.05,
              unit=" s")
    # The machine's clock changes by more than what is looked for: in turns, and the best of each.
    twelve, many = map(min, zip(*((code(12), code(96)) for _ in range(COMPILES))))
    table.add("compile, mhc, 12 blocks", twelve, 1.2, 0.8, unit=" s")
    table.add("compile, 96 equal blocks over 12", many / twelve, 1.3, 1.1)


RUN = {"step": steps, "products": products.alone, "precision": products.precision,
       "peers": products.peers, "choice": products.choice, "kernels": kernels,
       "avx2": products.avx2, "recurrence": recurrence, "threads": threads, "memory": memory,
       "compile": compile_times}


def write(o, where, table, failed):
    """After every row: what was measured stays when a later one is interrupted."""
    where["load_after"] = load()
    with open(o.out, "w", encoding="utf-8") as file:
        json.dump({"machine": where, "lines": table.lines, "failed": failed}, file, indent=1)
    if not o.markdown:
        return
    with open(o.markdown, "w", encoding="utf-8") as file:
        file.write(f"# Targets\n\n`bench/targets.py` on {where['cpu']}, {where['cores']} cores, "
                   f"{where['vectors']}; load before {where['load_before']:.1f}, after "
                   f"{where['load_after']:.1f}; {o.rounds} rounds of {o.steps} steps.\n\n"
                   f"{table.markdown()}")
        for line in failed:
            file.write(f"\nNot measured: {line}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--rows", type=lambda s: s.split(","), default=list(RUN), help=",".join(RUN))
    parser.add_argument("--python", help="one that has PyTorch and the hyper-connections package")
    parser.add_argument("--program", help="what target bench_products builds, for row products",
                        default=os.path.join(ROOT, "build", "tests", "bench_products"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--handwritten", metavar="FOLDER")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="of a run")
    o = parser.parse_args()
    where, table, failed = machine(), Table(), []
    for name in o.rows:
        if name not in RUN:
            parser.error(f"no row `{name}`; there are {', '.join(RUN)}")
    for name in o.rows:
        table.command = f"`--rows {name}`"
        try:
            RUN[name](o, table)
        except (BenchError, subprocess.SubprocessError) as e:
            failed.append(f"{name}: {e}")
            print(f"failed: {name}: {e}", file=sys.stderr)
        write(o, where, table, failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
