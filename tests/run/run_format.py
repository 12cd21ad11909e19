#!/usr/bin/env python3
"""Every C file of the project is laid out as .clang-format says."""

import argparse
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

FOLDERS = ("abi", "compiler", "runtime", "tests", "examples", "bench")


def sources():
    for folder in FOLDERS:
        for parent, _, names in os.walk(os.path.join(harness.ROOT, folder)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(parent, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc")  # as all runners; not used
    parser.parse_args()
    files = list(sources())
    formatter = shutil.which("clang-format-19")
    if not formatter:
        print("skipped: clang-format-19 is not installed")
        harness.totals(0, 0, len(files))
    failed = 0
    for path in files:
        result = subprocess.run([formatter, "--dry-run", "-Werror", path], capture_output=True,
                                text=True, check=False)
        if result.returncode:
            failed += 1
            print(f"FAILED {os.path.relpath(path, harness.ROOT)}: clang-format-19 -i would change it")
    harness.totals(len(files) - failed, failed)


if __name__ == "__main__":
    main()
