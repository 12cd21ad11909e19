#!/usr/bin/env python3
"""Runs ctest in a build folder and sums up: tests by label, what failed with its output, what was
skipped with its reason, and a closing line `N passed, N failed, N skipped` that counts the cases
inside each test where the test counts them itself."""

import argparse
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as xml

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)
CMOCKA = re.compile(r"^\[  (PASSED|FAILED)  \] (\d+) test\(s\)", re.MULTILINE)


def counts_of(case, status):
    """(passed, failed, skipped) of one ctest entry."""
    output = case.findtext("system-out") or ""
    own = COUNTS.findall(output)
    if own:
        passed, failed, skipped = (int(number or 0) for number in own[-1])
    else:
        cmocka = {word: int(number) for word, number in CMOCKA.findall(output)}
        passed, failed, skipped = cmocka.get("PASSED", 0), cmocka.get("FAILED", 0), 0
        if not passed and not failed:
            return {"run": (1, 0, 0), "notrun": (0, 0, 1)}.get(status, (0, 1, 0))
    if status == "fail" and not failed:
        failed = 1  # it crashed, or ran out of time
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--verbose", action="store_true", help="show the output of every test")
    arguments, rest = parser.parse_known_args()
    report = os.path.join(os.path.abspath(arguments.build), "results.xml")
    if os.path.exists(report):
        os.unlink(report)
    subprocess.run(["ctest", "--test-dir", arguments.build, "--output-junit", report,
                    "--parallel", str(len(os.sched_getaffinity(0))),
                    "--test-output-size-passed", "1000000", "--test-output-size-failed", "1000000",
                    *rest], check=False)
    if not os.path.exists(report):
        print("0 passed, 1 failed")
        sys.exit(1)
    total = [0, 0, 0]
    for case in xml.parse(report).getroot().iter("testcase"):
        status = case.get("status")
        counts = counts_of(case, status)
        total = [a + b for a, b in zip(total, counts)]
        output = (case.findtext("system-out") or "").rstrip()
        if counts[1] or arguments.verbose:
            print(f"\n=== {case.get('name')}\n{output}")
        else:
            for line in output.splitlines():
                if line.startswith("skipped"):
                    print(f"{case.get('name')}: {line}")
    print("\n{} passed, {} failed, {} skipped".format(*total))
    sys.exit(1 if total[1] or not total[0] else 0)


if __name__ == "__main__":
    main()
