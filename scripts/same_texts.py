#!/usr/bin/env python3
"""Whether two builds of hcc say the same at every stage, for every connection and every example.

    python3 scripts/same_texts.py OLD NEW [--only REGEX] [--stages tir,grad,fused,schedule,nests]

For changes that move code and mean to change nothing else. Prints the first line in which a text
differs, and a count; exit code 1 when one does. A model that both refuse with the same words is the
same; what `--cpu` decides is the same on every machine, for one processor is named here.
"""

import argparse
import concurrent.futures
import itertools
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "diff"))
from every_connection import networks

COUNTS = (0, 1, 4)
CPU = "x86-64-v3"


def models(folder):
    """(name, file) of everything that is compared; networks are written into the folder."""
    for kept in ("examples", "bench"):
        for name in sorted(os.listdir(os.path.join(ROOT, kept))):
            if name.endswith(".hc"):
                yield f"{kept}/{name}", os.path.join(ROOT, kept, name)
    for k, network in enumerate(networks()):
        if network["n"] in COUNTS:
            file = os.path.join(folder, f"{k}.hc")
            with open(file, "w", encoding="utf-8") as to:
                to.write(network["text"])
            yield network["name"], file


def text_of(hcc, file, stage):
    run = subprocess.run([hcc, "emit", file, "--stage", stage, "--cpu", CPU, "--color", "never"], cwd=ROOT,
                         capture_output=True, encoding="utf-8", errors="replace", check=False)
    return run.stdout + (run.stderr if run.returncode else "")


def difference(old, new, file, stage):
    """None, or the first pair of lines that are not equal."""
    texts = [text_of(hcc, file, stage) for hcc in (old, new)]
    if texts[0] == texts[1]:
        return None
    return next((pair for pair in itertools.zip_longest(*(text.splitlines() for text in texts))
                 if pair[0] != pair[1]), ("", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--only", default="", help="models whose name this regular expression finds")
    parser.add_argument("--stages", default="tir,grad,fused,schedule,nests")
    asked = parser.parse_args()
    asked.old, asked.new = os.path.abspath(asked.old), os.path.abspath(asked.new)
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        work = [(name, file, stage) for name, file in models(folder) if re.search(asked.only, name)
                for stage in asked.stages.split(",")]
        found = pool.map(lambda w: difference(asked.old, asked.new, w[1], w[2]), work)
        differ = 0
        for (name, _, stage), pair in zip(work, found):
            if pair:
                differ += 1
                print(f"{name}, {stage}\n  old: {pair[0]}\n  new: {pair[1]}")
    print(f"{len(work)} texts of {len({name for name, _, _ in work})} models: {differ} differ")
    sys.exit(1 if differ or not work else 0)


if __name__ == "__main__":
    main()
