#!/usr/bin/env python3
"""The floors of the house: includes point down only, and no circle of files grows."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts"))
import circles
import harness

# The longest circle of files that a folder may have, and why. A folder that is not named has none.
# These go down, never up: two files that need each other are one, or a third is missing below them.
MOST = {
    "compiler/lower": 5,  # a value is evaluated from its operands' values, whatever its op
    "compiler/pass": 3,  # rules of the derivatives of loops take the derivatives of their bodies
    "compiler/sema": 25,  # the evaluator: bodies hold expressions, which call bodies and hold trunks of them
}

# The rooms of the runtime, lowest first; hc.h stands below all of them, and belongs to those who use it.
ROOMS = ["hc.h", "files", "names", "ranks", "tokens", "run", "data", "trained", "maps", "train", "sample", "bench", "runs",
         "app"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def floors():
    """The folders of the compiler, lowest first, as they are linked."""
    with open(os.path.join(harness.ROOT, "compiler", "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"foreach\(floor ([^)]*)\)", file.read()).group(1).split()


def wrong(order, source, included):
    """Why `source` may not include this; None: it may. Both are paths from the project's root."""
    parts = source.split("/")
    to = included.split("/")[0]
    if to == "abi":
        return None
    if parts[0] == "abi":
        return "the contract includes nothing of either side" if "/" in included else None
    if parts[0] != "compiler":
        if to != "runtime":
            return "the runtime includes nothing of the compiler" if to in order else None
        room, other = parts[1], included.split("/")[1]
        return f"{other} stands above {room}" if ROOMS.index(other) > ROOMS.index(room) else None
    if len(parts) == 2 or "/" not in included:
        return None  # main.c stands above all; a generated header stands beside its source
    if parts[1] not in ("gradcheck", "library", "driver") and to == "runtime":
        return "only what runs a model includes more of the runtime than the contract with it, which is abi/"
    if to not in order or to == parts[1]:
        return None
    if order.index(to) > order.index(parts[1]):
        return f"{to} stands above {parts[1]}"
    return "a floor's internal header is its own" if included.endswith("internal.h") else None


def sources():
    for side in ("abi", *circles.SIDES):
        for parent, _, names in os.walk(os.path.join(harness.ROOT, side)):
            for name in names:
                if name.endswith((".c", ".h", ".def")):
                    yield os.path.relpath(os.path.join(parent, name), harness.ROOT).replace(os.sep, "/")


class Includes(harness.TestCase):
    def test_every_include_points_down(self):
        order, found = floors(), []
        for source in sources():
            with open(os.path.join(harness.ROOT, source), encoding="utf-8") as file:
                for included in INCLUDE.findall(file.read()):
                    why = wrong(order, source, included)
                    if why:
                        found.append(f"{source} includes {included}: {why}")
        self.assertEqual(found, [])

    def test_what_points_up_is_found(self):
        order = ["base", "sema", "pass", "driver"]
        for source, included in (("compiler/sema/value/a.c", "pass/pass.h"), ("runtime/run/exec.c", "base/map.h"),
                                 ("compiler/pass/a.c", "sema/value/value_internal.h"),
                                 ("compiler/pass/a.c", "runtime/run/exec.h"), ("abi/abi.h", "runtime/hc.h"),
                                 ("runtime/run/exec.c", "runtime/train/train.h")):
            self.assertIsNotNone(wrong(order, source, included), included)
        for source, included in (("compiler/pass/a.c", "sema/sema.h"), ("compiler/pass/a.c", "abi/abi.h"),
                                 ("runtime/run/exec.c", "abi/layout.h"), ("compiler/pass/a.c", "pass/pass_internal.h"),
                                 ("runtime/train/train.c", "runtime/run/exec.h"), ("compiler/main.c", "driver/x.h")):
            self.assertIsNone(wrong(order, source, included), included)


class Circles(harness.TestCase):
    def test_no_circle_grows(self):
        said = []
        found = circles.report(circles.needs(os.path.dirname(harness.hcc_path())), MOST, said.append)
        self.assertEqual(found, [], "\n".join(said))

    def test_a_circle_is_found(self):
        graph = {"compiler/a/1.c": {"compiler/a/2.c"}, "compiler/a/2.c": {"compiler/a/x/3.c"},
                 "compiler/a/x/3.c": {"compiler/a/1.c", "compiler/b/4.c"}, "compiler/b/4.c": set()}
        self.assertEqual(circles.circles(graph), [["compiler/a/1.c", "compiler/a/2.c", "compiler/a/x/3.c"]])
        self.assertEqual(circles.report(graph, {"compiler/a": 3}, str), [])
        self.assertEqual(len(circles.report(graph, {"compiler/a": 2}, str)), 1)
        graph["compiler/b/4.c"] = {"compiler/a/1.c"}
        self.assertIn("floors need each other: compiler/a compiler/b", circles.report(graph, {"compiler/a": 3}, str))


harness.main(__name__)
