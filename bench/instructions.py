#!/usr/bin/env python3
"""Counts the instructions of kernels of connections and products, and compares them with recorded counts.

    python3 bench/instructions.py --hcc build/hcc             compare
    python3 bench/instructions.py --hcc build/hcc --update    record instead

Builds bench/instructions.hc with each wiring for x86-64-v3 (valgrind knows no AVX-512), runs one
training step under callgrind and takes the instructions a position of every kernel into which lines
of a connection went, or of a norm. Unlike times, counts are the same on every machine and in every
run, so a change of a few per cent is seen. They are no times: memory and dependencies are not in them.

`products` are the kernels that pack operands and multiply them, in the branches and the head of the
same model with wider branches and no connection. Sides that no panel divides are among them.

A kernel of a connection is known by its pass and the values that it computes; kernels of one name count together,
and so do all that belong to a pass ("all"), which tells what to think of kernels that came or went.
More than 5 % over the recorded count fails. More than 5 % under it is told, to be recorded.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests"))
import harness

MODEL = os.path.join(HERE, "instructions.hc")
RECORDED = os.path.join(HERE, "instructions.json")
WIRINGS = ["residual", "shc", "dhc", "frac", "mhc", "mudd", "denseformer"]
PRODUCTS = "products"
SETTINGS = {PRODUCTS: {"wiring": "residual", "blocks": 1, "width": 136, "vocab": 200}}
CPU = "x86-64-v3"
COUNTED = re.compile(r"(^|/)std/(connections/|functions/norms\.hc$)")
POSITIONS = 64
TOLERANCE = 0.05
SLACK = 2  # instructions a position: what tables and the like take is no matter


# --- reading callgrind's output -----------------------------------------------------------------


class Names:
    """"(3) text" defines a short name and "(3)" uses it."""

    def __init__(self):
        self.names = {}

    def get(self, text):
        number, _, name = text.partition(" ")
        if name:
            self.names[number] = name
        return self.names.get(number, text)


def read_callgrind(path):
    """{function: [instructions, {source files}]}, of its own code only."""
    files, functions, found = Names(), Names(), {}
    file, entry, skip = "", None, False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, equals, value = line.rstrip("\n").partition("=")
            if equals and key in ("fl", "fi", "fe"):
                file = files.get(value)
            elif equals and key == "fn":
                entry = found.setdefault(functions.get(value), [0, set()])
            elif equals and key in ("cfi", "cfl"):
                files.get(value)
            elif equals and key == "cfn":
                functions.get(value)
            elif equals and key == "calls":
                skip = True  # the next line is what the callee costs
            elif entry is not None and line[:1] in "0123456789+-*":
                if not skip:
                    entry[0] += int(line.split()[1])
                    entry[1].add(file)
                skip = False
    return found


def kernels_of(found):
    """{"forward h_x": instructions} of the kernels that connections have a part in."""
    counts = {}
    for function, (instructions, files) in found.items():
        match = re.fullmatch(r"k\d+_(fwd|bwd)_(.*)\.work", function)
        if not match or not any(map(COUNTED.search, files)):
            continue
        direction = {"fwd": "forward", "bwd": "backward"}[match.group(1)]
        for name in (f"{direction} {match.group(2)}", f"{direction} all"):
            counts[name] = counts.get(name, 0) + instructions
    return counts


def products_of(found):
    """{"pack left along": instructions} of the kernels that make products."""
    counts = {}
    for function, (instructions, _) in found.items():
        match = re.fullmatch(r"k\d+_(multiply|pack_(?:left|right)_(?:along|across))(?:_\d+)?(?:\.work)?",
                             function)
        if match:
            name = match.group(1).replace("_", " ")
            counts[name] = counts.get(name, 0) + instructions
    return counts


# --- running ------------------------------------------------------------------------------------


def checked(command, **more):
    process = subprocess.run(command, capture_output=True, text=True, check=False,
                             env=harness.environment(more))
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n"
                           f"{process.stdout}{process.stderr}")
    return process.stdout


def count(hcc, what, folder):
    """{kernel: instructions a position}, of a connection, or of products."""
    program = os.path.join(folder, what)
    output = program + ".callgrind"
    settings = [word for name, value in SETTINGS.get(what, {"wiring": what}).items()
                for word in ("--set", f"{name}={value}")]
    checked([hcc, "build", MODEL, *settings, "--cpu", CPU, "--debug", "-o", program])
    checked(["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", program, "bench",
             "--steps", "1", "--warmup", "0", "--threads", "1", "--batch", "1",
             "--positions", str(POSITIONS)], OPENBLAS_CORETYPE="Sandybridge")
    of = products_of if what == PRODUCTS else kernels_of
    counts = {name: round(instructions / POSITIONS, 1)
              for name, instructions in of(read_callgrind(output)).items()}
    if not counts:
        raise RuntimeError(f"{what}: none of its kernels is among what callgrind saw")
    return counts


def count_all(hcc, wirings, folder):
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        futures = {wiring: pool.submit(count, hcc, wiring, folder) for wiring in wirings}
        return {wiring: future.result() for wiring, future in futures.items()}


# --- comparing ----------------------------------------------------------------------------------


def compare(wiring, old, new):
    """(messages, how many kernels cost too much)."""
    messages, worse = [], 0
    for name in sorted(old.keys() | new.keys(), key=lambda name: (not name.startswith("f"), name)):
        before, now = old.get(name), new.get(name)
        if before is None:
            messages.append(f"{wiring}: {name} is new: {now:.0f} instructions a position")
        elif now is None:
            messages.append(f"{wiring}: {name} is gone; it took {before:.0f} instructions a position")
        elif abs(now - before) > TOLERANCE * before + SLACK:
            worse += now > before
            messages.append(f"{'FAILED ' if now > before else ''}{wiring}: {name}: "
                            f"{before:.0f} -> {now:.0f} instructions a position "
                            f"({100 * (now - before) / max(before, 0.1):+.1f} %)")
    return messages, worse


def table(counts):
    counts = dict(counts)
    products = counts.pop(PRODUCTS, {})
    lines = ["| connection | forward | backward |", "|---|---|---|"]
    for wiring, kernels in counts.items():
        lines.append(f"| {wiring} | {kernels['forward all']:.0f} | {kernels['backward all']:.0f} |")
    lines += ["", "| products | |", "|---|---|"]
    lines += [f"| {name} | {found:.0f} |" for name, found in sorted(products.items())]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--update", action="store_true", help="record what is counted")
    parser.add_argument("--only", help="these connections, or products, with commas between them")
    parser.add_argument("--table", action="store_true", help="print the sums as a table, too")
    arguments = parser.parse_args()
    wirings = arguments.only.split(",") if arguments.only else [*WIRINGS, PRODUCTS]
    hcc = os.environ["HCC"] = os.path.abspath(arguments.hcc)
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        harness.totals(0, 0, len(wirings))
    if harness.sanitized():
        print("skipped: what a sanitized hcc links does not run under valgrind")
        harness.totals(0, 0, len(wirings))
    with tempfile.TemporaryDirectory() as folder:
        counts = count_all(hcc, wirings, folder)
    if arguments.table:
        print(table(counts))
    recorded = {}
    if os.path.exists(RECORDED):
        with open(RECORDED, encoding="utf-8") as file:
            recorded = json.load(file)
    failed = 0
    for wiring in wirings:
        messages, worse = compare(wiring, recorded.get(wiring, {}), counts[wiring])
        failed += worse > 0
        for message in messages:
            print(message)
        if messages and not worse and not arguments.update:
            print(f"{wiring}: record this with --update")
    if arguments.update:
        recorded.update(counts)
        with open(RECORDED, "w", encoding="utf-8") as file:
            json.dump(recorded, file, indent=1, sort_keys=True)
            file.write("\n")
        return
    harness.totals(len(wirings) - failed, failed)


if __name__ == "__main__":
    main()
