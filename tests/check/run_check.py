#!/usr/bin/env python3
"""Golden tests of what the passes print.

A test is a file (.tir, .nest or .hc) with comment lines

    RUN: hcc emit --stage grad %s | FileCheck %s
    CHECK: ...

where `%s` is the file itself, `%t` a scratch path of its own, `hcc` the compiler under test and
FileCheck LLVM's. `not COMMAND` inverts an exit code. All RUN lines must succeed.
"""

import argparse
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness


def find_filecheck():
    config = shutil.which("llvm-config-19") or shutil.which("llvm-config")
    if config:
        folder = subprocess.run([config, "--bindir"], capture_output=True, text=True,
                                check=False).stdout.strip()
        if os.path.exists(os.path.join(folder, "FileCheck")):
            return os.path.join(folder, "FileCheck")
    return shutil.which("FileCheck-19") or shutil.which("FileCheck")


def run_lines(path):
    with open(path, encoding="utf-8") as source:
        return re.findall(r"RUN:\s*(.*)", source.read())


def command_line(line, path, scratch, filecheck):
    quoted = {"%s": shlex.quote(path), "%t": shlex.quote(scratch)}
    line = re.sub(r"%[st]", lambda match: quoted[match.group()], line)
    line = re.sub(r"\bFileCheck\b", shlex.quote(filecheck), line)
    line = re.sub(r"(^|\||\bnot |; )\s*hcc\b", lambda m: m.group(1) + " " +
                  shlex.quote(harness.hcc_path()), line)
    line = re.sub(r"(^|\|)\s*not ", r"\1 ! ", line)
    return "set -o pipefail; " + line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(arguments.hcc)
    here = os.path.dirname(os.path.abspath(__file__))
    files = arguments.files or sorted(
        path for path in glob.glob(os.path.join(here, "**", "*"), recursive=True)
        if path.endswith((".tir", ".nest", ".hc")))
    filecheck = find_filecheck()
    if not filecheck:
        print("skipped: FileCheck (Debian: llvm-19-tools) is not installed")
        harness.totals(0, 0, len(files))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(map(os.path.abspath, files)):
            lines = run_lines(path)
            problem = None if lines else "no RUN line"
            for line in lines:
                command = command_line(line, path, os.path.join(folder, str(number)), filecheck)
                result = harness.run(["bash", "-c", command])
                if result.code != 0:
                    problem = f"{line}\n{result!r}"
                    break
            if problem:
                failed += 1
                print(f"FAILED {os.path.relpath(path, here)}: {problem}")
    harness.totals(len(files) - failed, failed)


if __name__ == "__main__":
    main()
