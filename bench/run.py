#!/usr/bin/env python3
"""hcc against PyTorch, eager and compiled, and JAX, on the cases that the field measures.

    python bench/run.py --hcc build/hcc --python build/venv/bin/python --out FOLDER
    python bench/run.py --hcc build/hcc --python PYTHON --jax-python PYTHON --precision bf16 --cases 4 \
        --only "4 × 768" --wirings residual,mhc --out FOLDER

In a round every contestant of a group runs once, each in a process of its own, nothing else at the
same time; the order turns from round to round. Ratios are formed inside a round; their median over
rounds is reported, with its range, so that a machine that is slow for a while slows both sides.

FOLDER gets table.md, result.json and plot.svg, written again after every round. What fails is told
in the tables; the exit code is then 1. `--report` only writes the tables and the plot again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import cases  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
from measure import BenchError, copy_bandwidth, load, machine  # noqa: E402

ROOT = os.path.dirname(HERE)


def words(text):
    return [word for word in text.split(",") if word]


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--python", default=sys.executable,
                        help="one that has PyTorch and the hyper-connections package")
    parser.add_argument("--jax-python", metavar="PYTHON", help="one that has JAX (without: no JAX)")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32",
                        help="of steps: bf16 is torch.autocast's in PyTorch; cases 4 to 6 alone")
    parser.add_argument("--cases", type=words, help="1,2,3,4,5,6 (those that the precision has)")
    parser.add_argument("--only", default="", metavar="TEXT", help="groups whose name holds it")
    parser.add_argument("--wirings", type=words, help="residual,shc,dhc,frac,mhc,sinkhorn")
    parser.add_argument("--sides", type=words, help=",".join(cases.SIDES) + " (all that there are)")
    parser.add_argument("--quick", action="store_true", help="small sizes, two rounds: does it run")
    parser.add_argument("--rounds", type=int, help="(3)")
    parser.add_argument("--steps", type=int, help="measured steps of a run (10)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="of a run")
    parser.add_argument("--file", default=os.path.join(ROOT, "examples", "gpt.hc"),
                        help="hcc's GPT of cases 4 to 6")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="further settings of hcc")
    parser.add_argument("--cache", metavar="FOLDER",
                        help="keep what torch.compile makes for the next time")
    parser.add_argument("--norm", choices=("rmsnorm", "layernorm"), default="rmsnorm",
                        help="the peers', in cases 4 to 6")
    parser.add_argument("--check", action="store_true", help="exit code 5 if a ratio is missed")
    parser.add_argument("--report", action="store_true", help="only write tables and plot again")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 3)
    options.steps = options.steps or (4 if options.quick else 10)
    measured = "456" if options.precision == "bf16" else "123456"
    options.cases = options.cases or list(measured)
    if any(case not in measured or len(case) > 1 for case in options.cases):
        parser.error(f"--cases takes numbers from {measured[0]} to 6"
                     + " in bf16" * (options.precision == "bf16"))
    options.sides = options.sides or [s for s in cases.SIDES if s != "jax" or options.jax_python]
    if "jax" in options.sides and not options.jax_python:
        parser.error("side jax needs --jax-python")
    if set(options.sides) - set(cases.SIDES):
        parser.error(f"--sides takes some of {','.join(cases.SIDES)}")
    if any("=" not in setting for setting in options.set):
        parser.error("--set takes NAME=VALUE")
    options.set = [tuple(setting.split("=", 1)) for setting in options.set]
    return options


def chosen(options):
    found = []
    for group in cases.all_groups(options.quick):
        if str(group.case) not in options.cases or options.only not in group.name:
            continue
        group.rows = [r for r in group.rows if not options.wirings or r.wiring in options.wirings]
        group.sides = tuple(s for s in cases.SIDES if s in options.sides
                            and any(group.has(row, s) for row in group.rows))
        if group.rows:
            found.append(group)
    return found


class Campaign:
    def __init__(self, options):
        self.options, self.groups = options, chosen(options)
        self.result = {"machine": machine(), "config": {
            name: value for name, value in vars(options).items()
            if name not in ("hcc", "python", "jax_python", "out", "cache", "file", "report", "check")},
            "bandwidth": [], "groups": []}

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def one(self, entry, group, row, side, number):
        """Its measurement, or what it failed of; what has failed once is not tried again."""
        name = f"{row.label}, {side}"
        if name in entry["failed"]:
            return None
        try:
            found = cases.run(self.options, group, row, side)
        except BenchError as error:
            entry["failed"][name] = str(error)
            self.say(f"FAILED {group.key}, {name}: {error}")
            return None
        self.say(f"{group.key}, round {number + 1}/{self.options.rounds}, {name}: "
                 f"{found['step_ms']:.3f} ms")
        return found

    def go(self):
        for group in self.groups:
            entry = {"case": group.case, "name": group.name, "size": group.size, "failed": {},
                     "rows": [{"label": r.label, "wiring": r.wiring, "n": r.n} for r in group.rows],
                     "sides": list(group.sides), "rounds": []}
            self.result["groups"].append(entry)
            order = [(row, side) for row in group.rows for side in group.sides
                     if group.has(row, side)]
            for number in range(self.options.rounds):
                turn = number * len(group.sides) % len(order) + number % len(group.sides)
                results = {}
                if group.case <= 2:
                    self.result["bandwidth"].append(copy_bandwidth(self.options.threads))
                for row, side in order[turn:] + order[:turn]:
                    found = self.one(entry, group, row, side, number)
                    if found:
                        results.setdefault(row.label, {})[side] = found
                entry["rounds"].append(results)
                self.write()
        if any(group.case == 3 for group in self.groups):
            self.result["sinkhorn_errors"] = cases.sinkhorn_errors(self.options)
        self.result["machine"]["load_after"] = load()
        self.write()

    def write(self):
        os.makedirs(self.options.out, exist_ok=True)
        at = lambda name: os.path.join(self.options.out, name)  # noqa: E731
        analysed = report.analyse(self.result)
        for name, text in (("result.json", json.dumps(self.result, indent=1) + "\n"),
                           ("table.md", report.markdown(self.result, analysed)),
                           ("plot.svg", plot.draw(analysed))):
            with open(at(name + ".new"), "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(at(name + ".new"), at(name))
        return analysed


def main():
    options = parse()
    campaign = Campaign(options)
    if options.report:
        with open(os.path.join(options.out, "result.json"), encoding="utf-8") as file:
            campaign.result = json.load(file)
    else:
        if not campaign.groups:
            sys.exit("error: there is no such group")
        made = None if options.cache else tempfile.mkdtemp(prefix="hcc-bench-")
        options.cache = os.path.abspath(options.cache or made)
        try:
            campaign.go()
        except KeyboardInterrupt:
            sys.exit("interrupted; what was measured is written")
        finally:
            if made:
                shutil.rmtree(made, ignore_errors=True)
    analysed = campaign.write()
    with open(os.path.join(options.out, "table.md"), encoding="utf-8") as file:
        print(file.read())
    missed = report.missed(analysed)
    if missed:
        print("missed: " + "; ".join(missed))
    if any(entry["failed"] for entry in campaign.result["groups"]):
        return 1
    return 5 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
