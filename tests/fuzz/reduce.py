#!/usr/bin/env python3
"""Makes a program that shows a fault smaller, as long as it shows the same one.

    python3 tests/fuzz/reduce.py --hcc build/hcc --seed 17 > small.hc
    python3 tests/fuzz/reduce.py --hcc build/hcc FILE --arrangement f32,v3 > small.hc

Works on text alone, so it reduces what anybody wrote: lines and blocks are left out, expressions
replaced by their parts, numbers by smaller ones. A wrong guess is refused by the compiler, which is
another signature.
"""

import argparse
import os
import re
import sys
import tempfile
import time

import campaign
import programs

SMALLER = [0, 1, 2, 3, 4, 8, 16, 31, 32, 33, 48, 63, 64, 65, 128, 129]


def blocks(lines):
    """(first, last) of each `... {` with its closing line."""
    stack = []
    for k, line in enumerate(lines):
        text = line.strip()
        if text.startswith("}") and stack:
            yield stack.pop(), k
        if text.endswith("{"):
            stack.append(k)


def without_lines(lines):
    """Fewer lines: halves first, then blocks with or without what is in them, then single ones."""
    size = len(lines) // 2
    while size > 1:
        for k in range(0, len(lines), size):
            yield lines[:k] + lines[k + size:]
        size //= 2
    for first, last in blocks(lines):
        yield lines[:first] + lines[last + 1:]
        yield lines[:first] + lines[first + 1: last] + lines[last + 1:]
    for k in range(len(lines) - 1, -1, -1):
        yield lines[:k] + lines[k + 1:]


def brackets(text):
    """(open, close) of each pair of round brackets, the largest first."""
    stack, found = [], []
    for k, sign in enumerate(text):
        if sign == "(":
            stack.append(k)
        elif sign == ")" and stack:
            found.append((stack.pop(), k))
    return sorted(found, key=lambda pair: pair[0] - pair[1])


def parts(text):
    """The operands and arguments of what stands between brackets."""
    depth, begun = 0, 0
    for k, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and (sign == "," or sign in "+*/-" and text[k - 1: k + 2] == f" {sign} "):
            yield text[begun:k].strip()
            begun = k + 1
    yield text[begun:].strip()


def simpler_line(line):
    """The same statement with something smaller in it."""
    for first, last in brackets(line):
        inside = line[first + 1: last]
        name = re.search(r"\w+$", line[:first])
        start = name.start() if name else first
        for part in [p for p in parts(inside) if p] + ["0.5"]:
            yield line[:start] + part + line[last + 1:]
            if name is None:
                yield line[:first] + f"({part})" + line[last + 1:]
    if "=" in line:
        head, tail = line.split("=", 1)
        body, end = tail.rstrip().rstrip(";"), ";"
        for part in parts(body):
            if part and part != body.strip():
                yield f"{head}= {part}{end}"
    for sign in (" weight ", " nodecay", " freeze", " lr(0.1)", " causal"):
        if sign in line:
            yield line[: line.index(sign)] + ";"


def simpler_names(text):
    """A connection, a branch, a norm or a function by a plainer one."""
    for pattern, plainer in ((r"= \w+(\([^():;]*\))? :", "= residual :"), (r": \w+\([^()]*\);", ": same;"),
                             (r"~ (normal|uniform)\([^()]*\)", "= 0.5"), (r"rmsnorm\((\w+)\)", r"\1"),
                             (r"layernorm\((\w+)\)", r"\1"), (r"repeat \d+ \{([^{}]*)\}", r"\1")):
        for found in re.finditer(pattern, text):
            yield text[: found.start()] + found.expand(plainer) + text[found.end():]
    for found in re.finditer(r"(\w+ = [^;{}]*;)", text):  # a site
        if " : " in found.group():
            yield text[: found.start()] + text[found.end():]


def smaller_numbers(text):
    """Every whole number by smaller ones, wherever it stands and everywhere at once."""
    seen = sorted({int(n) for n in re.findall(r"(?<![\w.])\d+(?![\w.])", text)}, reverse=True)
    for n in seen:
        for less in [m for m in SMALLER if m < n] + [n - 1]:
            yield re.sub(rf"(?<![\w.]){n}(?![\w.])", str(less), text)
    for found in re.finditer(r"(?<![\w.])\d+(?![\w.])", text):
        n = int(found.group())
        for less in [m for m in SMALLER if m < n][:4]:
            yield text[: found.start()] + str(less) + text[found.end():]


def candidates(text):
    lines = text.splitlines()
    for fewer in without_lines(lines):
        yield "\n".join(fewer) + "\n"
    yield from simpler_names(text)
    for k, line in enumerate(lines):
        for simpler in simpler_line(line):
            if len(simpler) < len(line):
                yield "\n".join(lines[:k] + [simpler] + lines[k + 1:]) + "\n"
    yield from smaller_numbers(text)


def reduce(text, shows, seconds=300):
    """The smallest text found for which shows(text) holds."""
    ends = time.time() + seconds
    tried, again = {text}, True
    while again and time.time() < ends:
        again = False
        for candidate in candidates(text):
            if candidate in tried:
                continue
            tried.add(candidate)
            if time.time() > ends:
                break
            if shows(candidate):
                text, again = candidate, True
                break
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--seed", type=int, default=1, help="of the program, where there is no file, and of its data")
    parser.add_argument("--arrangement", help="the one that shows the fault; by default it is looked for")
    parser.add_argument("--seconds", type=int, default=300, help="to take at most")
    parser.add_argument("--tries", help="try_program; beside hcc by default")
    options = parser.parse_args()
    trier = campaign.Trier(options.tries or campaign.beside(options.hcc))
    text = open(options.file, encoding="utf-8").read() if options.file else programs.text(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.hc")

        def verdict(candidate, chosen):
            with open(path, "w", encoding="utf-8") as to:
                to.write(candidate)
            return campaign.judge(trier.attempt(path, options.seed, chosen, 20))

        chosen = options.arrangement.split() if options.arrangement else campaign.arrangements(options.seed)
        first = verdict(text, chosen)
        if first[0] not in ("fault", "difference"):
            sys.exit(f"nothing is wrong with it: {first[0]} {first[1]}")
        if first[1] != "bits: least memory":
            chosen = [first[2]]
        small = reduce(text, lambda c: verdict(c, chosen)[:2] == first[:2], options.seconds)
        last = verdict(small, chosen)
    trier.close()
    print(f"// {last[1]}\n// {last[2]}: {last[3][:200]}\n{small}", end="")


if __name__ == "__main__":
    main()
