#!/usr/bin/env python3
"""What hyper-connections cost against what they may cost: docs/targets.md and a JSON file.

    python bench/targets.py --hcc build/hcc --out targets.json [--rounds 5] [--rows step,memory]
        [--handwritten FOLDER] [--markdown docs/targets.md]

Everything is hcc against itself, against OpenBLAS alone, against what this machine can move and
multiply, or against kernels written by hand (FOLDER with their bench.c); `bench/run.py` has PyTorch.

step      a training step of the 4 x 768 GPT (context 512, batch 4) over the plain residual's, the same
          for 12 x 256 (context 256, batch 8) and for connections that read earlier outputs
products  the matrix products of such a step against OpenBLAS alone on their shapes
kernels   one site's kernels of a connection nobody wrote by hand against bytes + operations; with
          --handwritten also those of mHC and static HC against the hand's
threads   two threads over one
memory    activations of 12 x 512, 4096 positions, over the plain residual's
compile   hcc check; 12 blocks from source to code; 96 equal blocks over 12; without the cache

A ratio of steps is formed inside each round, in which everyone runs once, in turn; the median is
reported. Beside it `calls` sums every call's fastest run: what else the machine did does not count.
`kernels` does so too, with products and attention, the same work on both sides, equally long.
"""

import argparse
import ctypes
import ctypes.util
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
from measure import BenchError, machine, run_json, run_text, summary

GPT = os.path.join(ROOT, "examples", "gpt.hc")
OWN = os.path.join(ROOT, "examples", "my_connection.hc")
COMPILES = 7
ROWS = ["step", "products", "kernels", "threads", "memory", "compile"]
WIDE = {"blocks": 4, "d": 768, "heads": 12, "context": 512, "train.batch": 4}
NARROW = {"blocks": 12, "d": 256, "heads": 4, "context": 256, "train.batch": 8}
DEPTH = ["denseformer", "mudd", "attnres"]


class Table:
    """Lines of the result: what is measured, what is asked, what came out."""

    def __init__(self):
        self.lines = []

    def add(self, what, found, accept, target, above=False, unit="", note=""):
        def good(limit):
            return limit is not None and (found >= limit if above else found <= limit)

        state = "target" if good(target) else "accept" if good(accept) else "missed"
        self.lines.append({"what": what, "found": found, "accept": accept, "target": target,
                           "above": above, "unit": unit, "state": state, "note": note})
        print(f"{what}: {found:.3g}{unit} ({state}) {note}", file=sys.stderr, flush=True)

    def markdown(self):
        text = ["| measure | accept | target | reached | | |", "|---|---|---|---|---|---|"]
        for x in self.lines:
            sign = "≥" if x["above"] else "≤"
            text.append(f"| {x['what']} | {sign} {x['accept']:g}{x['unit']} "
                        f"| {sign} {x['target']:g}{x['unit']} | {x['found']:.3g}{x['unit']} "
                        f"| {x['state']} | {x['note']} |")
        return "\n".join(text) + "\n"


def bench(o, path, settings, threads=2, steps=None):
    words = [o.hcc, "bench", path, "--json", "--profile", "--threads", threads, "--steps",
             steps or o.steps]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return run_json(words, o.timeout)


def in_turns(o, runs):
    """{name: [result a round]} of functions that take turns; the order turns too."""
    names, found = list(runs), {name: [] for name in runs}
    for k in range(o.rounds):
        for name in names[k % len(names):] + names[: k % len(names)]:
            found[name].append(runs[name]())
    return found


def over(found, name, plain, value):
    return summary([value(a) / value(b) for a, b in zip(found[name], found[plain])])


def fastest_calls(runs):
    """{(name, pass): (ms, whether it is the same work in every wiring)}, each at its best."""
    calls = {}
    for run in runs:
        for c in run["calls"]:
            key, same = (c["name"], c["pass"]), c["gemm"] or c["name"].startswith("attend")
            calls[key] = (min(c["ms"], calls.get(key, (c["ms"],))[0]), same)
    return calls


def best_ratio(found, name, plain, shared=False):
    """Of the sums of fastest calls; shared: products and attention take the faster side's time."""
    of = {k: fastest_calls(found[k]) for k in (name, plain)}

    def best(k):
        other = of[plain if k == name else name]
        return min(run["optimizer_ms"] for run in found[k]) + sum(
            min(ms, other[key][0]) if shared and same and key in other else ms
            for key, (ms, same) in of[k].items())

    return best(name) / best(plain)


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


def openblas():
    for name in ("libopenblas.so.0", ctypes.util.find_library("openblas")):
        try:
            return ctypes.CDLL(name)
        except (OSError, TypeError):
            continue
    raise BenchError("no libopenblas to compare with")


def products(o, table):
    """Each shape alone: OpenBLAS on its own two threads, the best of a few."""
    blas = openblas()
    found = bench(o, GPT, {"wiring": "mhc", **WIDE})
    ours = alone = 0
    for call in found["calls"]:
        shape = re.fullmatch(r"gemm (\d+)x(\d+)x(\d+)", call["name"])
        if not shape:
            continue
        m, n, k = map(int, shape.groups())
        a, b, c = ((ctypes.c_float * x)() for x in (m * k, k * n, m * n))
        blas.openblas_set_num_threads(2)
        times = []
        for _ in range(4):
            begun = time.perf_counter()
            blas.cblas_sgemm(101, 111, 112, m, n, k, ctypes.c_float(1), a, k, b, k,
                             ctypes.c_float(0), c, n)
            times.append(1e3 * (time.perf_counter() - begun))
        ours += call["ms"]
        alone += min(times) * call["calls"]
    table.add("matrix products: OpenBLAS alone over those of a step", alone / ours, 0.90, 0.95,
              above=True)


def of_connection(run, name, kind):
    """Entries of the profile that come from the connection's file, the longest first."""
    found = [c for c in run["calls"]
             if c["pass"] == kind and not c["gemm"] and f"{name}.hc:" in (c["lines"] or "")
             and c["bytes"] > 0]
    return sorted(found, key=lambda c: -c["ms"])


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
    table.add("compile, mhc, 12 blocks", twelve, 2, 1, unit=" s")
    table.add("compile, 96 equal blocks over 12", many / twelve, 1.3, 1.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--rows", type=lambda s: s.split(","), default=ROWS, help=",".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--handwritten", metavar="FOLDER")
    parser.add_argument("--timeout", type=float, default=900, metavar="SECONDS", help="of a run")
    o = parser.parse_args()
    where, table, failed = machine(), Table(), []
    run = dict(zip(ROWS, [steps, products, kernels, threads, memory, compile_times]))
    for name in o.rows:
        if name not in run:
            parser.error(f"no row `{name}`; there are {', '.join(ROWS)}")
    for name in o.rows:
        try:
            run[name](o, table)
        except (BenchError, subprocess.SubprocessError) as e:
            failed.append(f"{name}: {e}")
            print(f"failed: {name}: {e}", file=sys.stderr)
    where["load_after"] = os.getloadavg()[0]
    with open(o.out, "w", encoding="utf-8") as file:
        json.dump({"machine": where, "lines": table.lines, "failed": failed}, file, indent=1)
    if o.markdown:
        with open(o.markdown, "w", encoding="utf-8") as file:
            file.write(f"# Targets\n\n`bench/targets.py` on {where['cpu']}, {where['cores']} cores; "
                       f"load before {where['load_before']:.1f}, after {where['load_after']:.1f}; "
                       f"{o.rounds} rounds of {o.steps} steps.\n\n{table.markdown()}")
            for line in failed:
                file.write(f"\nNot measured: {line}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
