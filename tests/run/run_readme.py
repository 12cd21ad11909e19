#!/usr/bin/env python3
"""The README's commands, in order, as a reader would type them.

Every line of its ```sh blocks that begins with build/hcc is run in a copy of the folders it names;
training is cut to a few steps, which the reader is not asked to do."""

import argparse
import os
import re
import shlex
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    arguments = parser.parse_args()
    hcc = os.path.abspath(arguments.hcc)
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as readme:
        commands = [line for block in BLOCK.findall(readme.read()) for line in block.splitlines()]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ("examples", "docs"):
            shutil.copytree(os.path.join(harness.ROOT, name), os.path.join(folder, name))
        for command in commands:
            words = shlex.split(command)
            assert words[0] == "build/hcc", command
            if words[1] == "train":
                words += ["--steps", "3"]
            result = harness.run([hcc, *words[1:]], cwd=folder)
            if result.code == 0:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {command}\n{result!r}")
    harness.totals(passed, failed or int(passed == 0))


if __name__ == "__main__":
    main()
