#!/usr/bin/env python3
"""The commands of the README and of docs/stages.md, in order, as a reader would type them.

Every line of their ```sh blocks that begins with build/hcc is run in a copy of the folders it names;
training and what it is evaluated on are cut to a little, which the reader is not asked to do.

docs/stages.md shows parts of what its commands print: the lines of its ```tir block, say, are to be
found in that order in stage `tir` of its example. Numbers of values may differ."""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STAGES = ("ast", "tir", "grad", "fused", "schedule", "nests") # the rest depends on the version of LLVM
EXAMPLE = "examples/small.hc"


def blocks(page):
    with open(os.path.join(harness.ROOT, page), encoding="utf-8") as text:
        return BLOCK.findall(text.read())


def bare(line):
    return re.sub(r"%\d+", "%", " ".join(line.split()))


def missing(hcc, stage, block):
    """The first line of a block that is not where it should be; None when all are."""
    arguments = ["--kernel", "k1", "--cpu", "x86-64-v4"] if stage in ("schedule", "nests") else []
    printed = harness.run([hcc, "emit", EXAMPLE, "--stage", stage, *arguments]).out
    lines = iter([bare(line) for line in printed.splitlines()])
    for line in block.splitlines():
        if line != "…" and bare(line) not in lines: # which goes on from the last one found
            return line
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    arguments = parser.parse_args()
    hcc = os.path.abspath(arguments.hcc)
    commands = [line for page in ("README.md", "docs/stages.md")
                for language, block in blocks(page) if language == "sh"
                for line in block.splitlines()]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("examples", "docs"):
            shutil.copytree(os.path.join(harness.ROOT, name), os.path.join(folder, name))
        for command in commands:
            words = shlex.split(command)
            assert words[0] == "build/hcc", command
            if words[1] in ("train", "sweep"):
                words += ["--steps", "3", "--set", "train.eval_batches=2"]
            result = harness.run([hcc, *words[1:]], cwd=folder)
            if result.code == 0:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {command}\n{result!r}")
    for language, block in blocks("docs/stages.md"):
        if language == "hc":
            with open(os.path.join(harness.ROOT, EXAMPLE), encoding="utf-8") as example:
                line = None if block in example.read() else "the definitions"
        elif language in STAGES:
            line = missing(hcc, language, block)
        else:
            continue
        passed += line is None
        failed += line is not None
        if line:
            print(f"FAILED docs/stages.md: stage {language} of {EXAMPLE} does not print\n{line}")
    harness.totals(passed, failed or int(passed == 0))


if __name__ == "__main__":
    main()
