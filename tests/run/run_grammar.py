#!/usr/bin/env python3
"""Every ```hc block of grammar/GRAMMAR.md is a whole file, and `hcc check` accepts it.

A block marked ```hc wrong is refused with exit code 1; other fences are not looked at."""

import argparse
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

FENCE = re.compile(r"^```hc( wrong)?[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--file", default=os.path.join(harness.ROOT, "grammar", "GRAMMAR.md"))
    arguments = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(arguments.hcc)
    with open(arguments.file, encoding="utf-8") as source:
        text = source.read()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            path = os.path.join(folder, f"grammar-line-{line}.hc")
            with open(path, "w", encoding="utf-8") as to:
                to.write(match.group(2))
            result = harness.hcc("check", path)
            if result.code == (1 if match.group(1) else 0):
                passed += 1
            else:
                failed += 1
                print(f"FAILED the block at line {line}: {result!r}")
    if passed + failed == 0:
        print("no ```hc block found")
        failed = 1
    harness.totals(passed, failed)


if __name__ == "__main__":
    main()
