"""Runs of hcc in turns, and the table of what they give: what the rows of targets.py share."""

from __future__ import annotations

import os
import sys

from measure import run_json, summary

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GPT = os.path.join(ROOT, "examples", "gpt.hc")
WIDE = {"blocks": 4, "d": 768, "heads": 12, "context": 512, "train.batch": 4}
NARROW = {"blocks": 12, "d": 256, "heads": 4, "context": 256, "train.batch": 8}


class Table:
    """Lines of the result: what is measured, what is asked, what came out."""

    def __init__(self):
        self.lines, self.command = [], ""

    def add(self, what, found, accept, target, above=False, unit="", note=""):
        def good(limit):
            return limit is not None and (found >= limit if above else found <= limit)

        state = "target" if good(target) else "accept" if good(accept) else "missed"
        self.lines.append({"what": what, "found": found, "accept": accept, "target": target,
                           "above": above, "unit": unit, "state": state,
                           "command": self.command, "note": note})
        print(f"{what}: {found:.3g}{unit} ({state}) {note}", file=sys.stderr, flush=True)

    def markdown(self):
        text = ["| measure | accept | target | reached | | command | |", "|---|---|---|---|---|---|---|"]
        for x in self.lines:
            sign = "≥" if x["above"] else "≤"
            text.append(f"| {x['what']} | {sign} {x['accept']:g}{x['unit']} "
                        f"| {sign} {x['target']:g}{x['unit']} | {x['found']:.3g}{x['unit']} "
                        f"| {x['state']} | {x['command']} | {x['note']} |")
        return "\n".join(text) + "\n"


def bench(o, path, settings, *words, threads=2, steps=None, environment=None):
    words = [o.hcc, "bench", path, "--json", "--profile", "--threads", threads, "--steps",
             steps or o.steps, *words]
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return run_json(words, o.timeout, environment)


def in_turns(o, runs):
    """{name: [result a round]} of functions that take turns; the order turns too."""
    names, found = list(runs), {name: [] for name in runs}
    for k in range(o.rounds):
        for name in names[k % len(names):] + names[: k % len(names)]:
            found[name].append(runs[name]())
    return found


def over(found, name, plain, value):
    return summary([value(a) / value(b) for a, b in zip(found[name], found[plain])])


def fastest_calls(runs):
    """{(name, pass): (ms, whether it is the same work in every wiring)}, each at its best."""
    calls = {}
    for run in runs:
        for c in run["calls"]:
            key, same = (c["name"], c["pass"]), c["gemm"] or c["name"].startswith("attend")
            calls[key] = (min(c["ms"], calls.get(key, (c["ms"],))[0]), same)
    return calls


def best_ratio(found, name, plain, shared=False):
    """Of the sums of fastest calls; shared: products and attention take the faster side's time."""
    of = {k: fastest_calls(found[k]) for k in (name, plain)}

    def best(k):
        other = of[plain if k == name else name]
        return min(run["optimizer_ms"] for run in found[k]) + sum(
            min(ms, other[key][0]) if shared and same and key in other else ms
            for key, (ms, same) in of[k].items())

    return best(name) / best(plain)


def of_connection(run, name, kind):
    """Entries of the profile that come from the connection's file, the longest first."""
    found = [c for c in run["calls"]
             if c["pass"] == kind and not c["gemm"] and f"{name}.hc:" in (c["lines"] or "")
             and c["bytes"] > 0]
    return sorted(found, key=lambda c: -c["ms"])
