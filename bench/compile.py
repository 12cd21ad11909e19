#!/usr/bin/env python3
"""What it takes to compile every connection of the library, and how that grows with its streams.

    python bench/compile.py --hcc build/hcc --out FILE.json [--streams 4,8,16] [--precisions f32,bf16]
        [--connections mhc,dhc] [--seconds]

examples/gpt.hc with two blocks of 128 features, equal layers being one kernel. Counted are the
instructions of all loop nests, of the longest kernel and kernels of more than 3000; with --seconds also
the processor's seconds from the command to the end of the first step, nothing from the cache: two
threads compile, so on a machine that does nothing else half as many pass.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, HERE)
from measure import environment, machine  # noqa: E402
from report import table  # noqa: E402

MODEL = os.path.join(ROOT, "examples", "gpt.hc")
LIBRARY = os.path.join(ROOT, "compiler", "std", "connections")
SIZE = {"d": 128, "heads": 4, "blocks": 2, "context": 16, "train.batch": 1}
LONG = 3000


def connections():
    """{name: whether it has streams in any number}."""
    found = {}
    for file in sorted(os.listdir(LIBRARY)):
        with open(os.path.join(LIBRARY, file), encoding="utf-8") as text:
            for name, arguments in re.findall(r"^connection (\w+)\(([^{]*)", text.read(), re.M):
                found[name] = re.search(r"\bn = \d", arguments) is not None
    return found


def run(o, words, wiring, n):
    words = [o.hcc, *words, "--set", f"wiring={wiring}", "--set", f"n={n}"]
    for name, value in SIZE.items():
        words += ["--set", f"{name}={value}"]
    return subprocess.run(words, capture_output=True, text=True, timeout=o.timeout, check=False,
                          env=environment())


def lengths(o, wiring, n, precision):
    """Instructions by kernel; None: it does not fit the model."""
    done = run(o, ["emit", MODEL, "--stage", "nests", "--precision", precision], wiring, n)
    if done.returncode != 0:
        return None
    return sorted((len(re.findall(r"^ +(?:%|store|loop)", kernel, re.M))
                   for kernel in re.split(r"^kernel ", done.stdout, flags=re.M)[1:]), reverse=True)


def seconds(o, wiring, n, precision):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(o, ["bench", MODEL, "--no-cache", "--steps", "1", "--precision", precision], wiring, n)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        return None
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--out", help="JSON file")
    parser.add_argument("--streams", type=lambda s: [int(x) for x in s.split(",")], default=[4, 8, 16])
    parser.add_argument("--precisions", type=lambda s: s.split(","), default=["f32"])
    parser.add_argument("--connections", type=lambda s: s.split(","))
    parser.add_argument("--seconds", action="store_true")
    parser.add_argument("--timeout", type=float, default=600)
    o = parser.parse_args()
    lines, rows = [], []
    for name, streams in connections().items():
        if o.connections and name not in o.connections:
            continue
        for precision in o.precisions:
            row, first = [name, precision], None
            for n in o.streams if streams else o.streams[:1]:
                found = lengths(o, name, n, precision)
                if found is None:
                    row.append("–")
                    continue
                line = {"connection": name, "precision": precision, "n": n, "instructions": sum(found),
                        "longest": found[0], "long": sum(x > LONG for x in found)}
                if o.seconds:
                    line["seconds"] = seconds(o, name, n, precision)
                first = first or line
                growth = line["instructions"] / first["instructions"] / (n / first["n"]) ** 2
                row.append(f"{line['instructions']} ({line['longest']}, {line['long']})"
                           + (f", {growth:.2f} of n²" if line is not first else "")
                           + (f", {line['seconds']:.2f} s" if line.get("seconds") else ""))
                lines.append(line)
            rows.append(row + [""] * (2 + len(o.streams) - len(row)))
            print(*row, file=sys.stderr, flush=True)
    print("\n".join(table(["connection", "precision", *(f"n = {n}" for n in o.streams)], rows)))
    if o.out:
        with open(o.out, "w", encoding="utf-8") as file:
            json.dump({"machine": machine(), "lines": lines}, file, indent=1)


if __name__ == "__main__":
    main()
