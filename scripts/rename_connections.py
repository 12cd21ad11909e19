#!/usr/bin/env python3
"""Renames every connection of the standard library to a random word, and runs the tests.

    python3 scripts/rename_connections.py [--keep FOLDER] [ctest arguments]

No connection is built in: in a copy of the project whose library speaks of `qzvh` instead of `mhc`
everything must work as before. Replaced are definitions, examples, tests and documents, and the
defaults of what `hcc info` and `hcc compare` compare with; never the compiler's or the runtime's code, nor its help.
The words are as long as the names, so that carets in expected messages stay where they are.
"""

import argparse
import os
import random
import re
import shutil
import string
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEXT = (".hc", ".py", ".md", ".txt", ".sh", ".cmake", ".c", ".tir", ".nest", ".expected")
# Never touched, but for the library in it; the page is what the compiler says of its commands.
CODE = ("compiler" + os.sep, "runtime" + os.sep, os.path.join("docs", "commands.md"))
# The package that takes another's place has that one's names, and texts of its own.
PACKAGE = (os.path.join("python", "hcc", "hyper_connections") + os.sep,
           os.path.join("python", "tests", "test_hyper_connections.py"))
LIBRARY = os.path.join("compiler", "std")
DEFAULTS = (os.path.join("compiler", "driver", "cmd_info.c"),  # `hcc info --against`
            os.path.join("runtime", "runs", "compare.c"))  # `hcc compare --baseline`


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listed.stdout.decode().split("\0") if name]


def connections(folder):
    names = set()
    for parent, _, files in os.walk(os.path.join(folder, LIBRARY)):
        for name in files:
            if name.endswith(".hc"):
                with open(os.path.join(parent, name), encoding="utf-8") as file:
                    names |= set(re.findall(r"(?m)^connection (\w+)", file.read()))
    return sorted(names)


def new_names(names, seed):
    draw, words = random.Random(seed), {}
    for name in names:
        while name not in words or words[name] in names:
            words[name] = "".join(draw.choice(string.ascii_lowercase) for _ in name)
    if len(set(words.values())) != len(words):
        return new_names(names, seed + 1)
    return words


def renamed(text, words, python):
    # `torch.nn.parallel` is a name of another package, too
    pattern = re.compile(r"(?<!\w)(?<!\bnn\.)(%s)(?!\w)" % "|".join(sorted(words, key=len, reverse=True)))
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if python and re.match(r"\s*(from|import)\b|.*\blacking\(", line):
            continue  # another package's name
        lines[k] = pattern.sub(lambda found: words[found[1]], line)
    return prefixed("\n".join(lines), words)


def prefixed(text, words):
    """The functions of a built library begin with its name: those of a header that C includes."""
    old = {word: name for name, word in words.items()}
    for word in re.findall(r'(?m)^#include "(\w+)\.h"', text):
        if word in old:
            text = re.sub(r"\b%s_" % old[word], word + "_", text)
    return text


def copy_renamed(folder, words):
    for name in tracked():
        source, target = os.path.join(ROOT, name), os.path.join(folder, name)
        library = name.startswith(LIBRARY)
        code = name.startswith(CODE + PACKAGE) and not library and name not in DEFAULTS
        if library or name.startswith(("docs" + os.sep, os.path.join("tests", "diff") + os.sep)):
            base, extension = os.path.splitext(os.path.basename(name))
            target = os.path.join(folder, os.path.dirname(name), words.get(base, base) + extension)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if code or not name.endswith(TEXT):
            shutil.copy2(source, target)
            continue
        with open(source, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read()
        with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(renamed(text, words, name.endswith(".py")))
        shutil.copymode(source, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", metavar="FOLDER", help="make the copy here and leave it there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", default="2")
    options, ctest = parser.parse_known_args()
    folder = options.keep or tempfile.mkdtemp(prefix="renamed-")
    words = new_names(connections(ROOT), options.seed)
    print("\n".join(f"{old} -> {new}" for old, new in words.items()), flush=True)
    try:
        copy_renamed(folder, words)
        build = os.path.join(folder, "build")
        steps = [["cmake", "-G", "Ninja", "-S", folder, "-B", build],
                 ["ninja", "-C", build, "-j", options.jobs],
                 [os.path.join(build, "hcc"), "show"],
                 [sys.executable, os.path.join(folder, "scripts", "manual.py"), "--hcc",
                  os.path.join(build, "hcc")],
                 ["ctest", "--test-dir", build, "--output-on-failure", *ctest]]
        for step in steps:
            code = subprocess.run(step, check=False).returncode
            if code:
                sys.exit(f"{' '.join(step)}: exit code {code}")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
