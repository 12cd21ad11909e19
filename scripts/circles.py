#!/usr/bin/env python3
"""Which files need each other in a circle, counted from the symbols of compiled objects.

    python3 scripts/circles.py BUILD [--most FOLDER=N ...]

A file needs another when its object uses a function or table that the other's object defines. Two
files that need each other, straight or by way of others, are read as one: a circle. Printed for every
folder of compiler/ and runtime/: its files, how many of them the longest circle holds, and which;
then the folders that need each other.

With --most, exit code 1 when a circle is longer than its folder may have (1 where none is named, which
is none at all), or when floors need each other. A folder is a floor, with what lies in folders inside.
"""

import argparse
import collections
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIDES = ("compiler", "runtime")


def objects(build):
    """{object: source, from the root of the project} of the compiler and the runtime."""
    build = os.path.abspath(build)
    found = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        for command in json.load(file):
            source = os.path.abspath(os.path.join(command["directory"], command["file"]))
            # What is generated counts as a file of the folder that it is generated for.
            above = build if source.startswith(build + os.sep) else ROOT
            source = os.path.relpath(source, above).replace(os.sep + "generated" + os.sep, os.sep)
            if source.split(os.sep)[0] in SIDES:
                found[os.path.join(command["directory"], command["output"])] = source
    return found


def needs(build):
    """{source: sources it needs}."""
    of_object = objects(build)
    missing = [o for o in of_object if not os.path.exists(o)]
    if missing:
        sys.exit(f"circles: not built: {missing[0]}")
    text = subprocess.run(["nm", "-A", "-P", "-g", *of_object], capture_output=True, encoding="utf-8",
                          check=True).stdout
    defines, uses = {}, collections.defaultdict(set)
    for line in text.splitlines():
        where, _, rest = line.partition(": ")
        name, kind = rest.split()[:2]
        if kind in "Uwv":
            uses[of_object[where]].add(name)
        else:
            defines[name] = of_object[where]
    return {source: {defines[name] for name in uses[source] if name in defines} - {source}
            for source in of_object.values()}


def circles(graph):
    """Strongly connected components of two or more, longest first (Tarjan, without recursion)."""
    order, low, open_, inside, found = {}, {}, [], set(), []
    for root in sorted(graph):
        work = [] if root in order else [(root, iter(sorted(graph[root])))]
        while work:
            at, following = work[-1]
            if at not in order:
                order[at] = low[at] = len(order)
                open_.append(at)
                inside.add(at)
            for to in following:
                if to not in order:
                    work.append((to, iter(sorted(graph.get(to, ())))))
                    break
                if to in inside:
                    low[at] = min(low[at], low[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == order[at]:
                    cut = open_.index(at)
                    found.append(sorted(open_[cut:]))
                    inside -= set(open_[cut:])
                    del open_[cut:]
    return sorted((c for c in found if len(c) > 1), key=lambda c: (-len(c), c))


def floor_of(source):
    """compiler/sema of compiler/sema/value/tensor.c; of the runtime, its folders are floors alike."""
    return os.sep.join(source.split(os.sep)[:-1][:2])


def between(graph, place):
    """The graph of places (folders, floors) that a graph of files makes."""
    result = collections.defaultdict(set)
    for source, others in graph.items():
        result[place(source)] |= {place(to) for to in others} - {place(source)}
    return result


def inner(graph, keep):
    return {source: {to for to in others if keep(to)} for source, others in graph.items() if keep(source)}


def limit(text):
    folder, equals, most = text.partition("=")
    if not equals or not most.isdigit():
        raise argparse.ArgumentTypeError("FOLDER=N is expected, as compiler/sema=20")
    return folder.rstrip("/"), int(most)


def report(graph, most, to=print):
    """Prints what there is, and returns what is more than there may be."""
    too_many = []
    floors = sorted({floor_of(source) for source in graph})
    for folder in floors:
        inside = inner(graph, lambda source: floor_of(source) == folder)
        found = circles(inside)
        longest = len(found[0]) if found else 1
        to(f"{folder}: {len(inside)} files, {f'longest circle {longest}' if found else 'no circle'}")
        for circle in found:
            to(f"  {len(circle)}: {' '.join(os.path.relpath(source, folder) for source in circle)}")
        if longest > most.get(folder, 1):
            too_many.append(f"{folder} has a circle of {longest} files; it may have "
                            f"{f'one of {most[folder]}' if folder in most else 'none'}")
        elif longest < most.get(folder, 1):
            to(f"  (its limit is {most[folder]}: it can be lowered)")
    for what, place in (("folders", os.path.dirname), ("floors", floor_of)):
        for circle in circles(between(graph, place)):
            to(f"{what} that need each other: {' '.join(circle)}")
            if what == "floors":
                too_many.append(f"floors need each other: {' '.join(circle)}")
    return too_many + [f"{folder} is named, but no such folder" for folder in most if folder not in floors]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--most", nargs="*", type=limit, metavar="FOLDER=N")
    asked = parser.parse_args()
    too_many = report(needs(asked.build), dict(asked.most or ()))
    if asked.most is not None:
        print("\n".join(f"circles: {line}" for line in too_many) or "circles: none that may not be")
        sys.exit(1 if too_many else 0)


if __name__ == "__main__":
    main()
