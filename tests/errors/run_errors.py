#!/usr/bin/env python3
"""Wrong programs and what is said about them.

Every .hc file of this folder says beside each offending line what it expects:

    let a = b;      // expected-error {{E0201}}
    const n = 0;    // expected-warning {{never read}}
    // expected-error@+1 {{unknown name}} {{did you mean}}

The text in braces is a code, or part of the message, of a note or of a help text; several pairs of
braces belong to one diagnostic. `@+N` and `@-N` point to another line, `@*` to any. Every
expectation must be met by a diagnostic of its own, and every diagnostic must be expected.
A line `// arguments: --set d=3` adds arguments to `hcc check`.
"""

import argparse
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

EXPECTATION = re.compile(r"expected-(error|warning)(?:@([+-]\d+|\*))?((?:\s*\{\{.*?\}\})+)")
BRACES = re.compile(r"\{\{(.*?)\}\}")


def expectations(path):
    """(severity, line or None for any, texts) for each expectation of a file."""
    found, arguments = [], []
    with open(path, encoding="utf-8", errors="replace", newline="\n") as source:
        for number, line in enumerate(source, 1):
            option = re.match(r"\s*// arguments: (.*)", line)
            if option:
                arguments += option.group(1).split()
            for severity, offset, braces in EXPECTATION.findall(line):
                at = None if offset == "*" else number + int(offset or 0)
                found.append((severity, at, BRACES.findall(braces)))
    return found, arguments


def text_of(diagnostic):
    notes = [note["message"] for note in diagnostic.get("notes", [])]
    return "\n".join([diagnostic["code"], diagnostic["message"], *notes, *diagnostic.get("help", [])])


def meets(diagnostic, expectation):
    severity, line, texts = expectation
    return (diagnostic["severity"] == severity
            and (line is None or diagnostic.get("line") == line)
            and all(text in text_of(diagnostic) for text in texts))


def complaints(path):
    """What is wrong with how a file is diagnosed, as a list of lines."""
    expected, arguments = expectations(path)
    result = harness.hcc("check", "--json", path, *arguments)
    has_errors = any(severity == "error" for severity, _, _ in expected)
    if result.code != (1 if has_errors else 0):
        return [f"exit code {result.code}\n{result.out}\n{result.err}"]
    try:
        diagnostics = json.loads(result.out)
    except json.JSONDecodeError as error:
        return [f"stdout is not JSON: {error}\n{result.out}"]
    wrong = []
    places = [(d["line"], d["column"]) for d in diagnostics if d.get("file") == path]
    if places != sorted(places):
        wrong.append(f"not in the order of the file: {places}")
    for expectation in expected:
        match = next((d for d in diagnostics if meets(d, expectation)), None)
        if match is None:
            severity, line, texts = expectation
            wrong.append(f"line {line or 'any'}: no {severity} with {texts}")
        else:
            diagnostics.remove(match)
    for diagnostic in diagnostics:
        wrong.append(f"line {diagnostic.get('line')}: not expected: {diagnostic['severity']} "
                     f"{diagnostic['code']}: {diagnostic['message']}")
    if not expected:
        wrong.append("the file expects nothing")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(arguments.hcc)
    here = os.path.dirname(os.path.abspath(__file__))
    files = arguments.files or sorted(glob.glob(os.path.join(here, "**", "*.hc"), recursive=True))
    failed = 0
    for path in files:
        wrong = complaints(os.path.abspath(path))
        if wrong:
            failed += 1
            print(f"FAILED {os.path.relpath(path, here)}")
            for line in wrong:
                print(f"    {line}")
    harness.totals(len(files) - failed, failed)


if __name__ == "__main__":
    main()
