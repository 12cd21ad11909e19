#!/usr/bin/env python3
"""Every connection of the library, and what is known of it: docs/connections.md and .json.

    python bench/connections.py --hcc build/hcc --data tinyshakespeare.txt --out FOLDER \
        --torch-python build/venv/bin/python

For each connection that `hcc show --json` lists:

gradcheck   hcc gradcheck of examples/shakespeare.hc (bench/second_input.hc for a connection with an
            input of its own), small: finite differences against derivatives.
reference   the same network in PyTorch (tests/reference/hcref), random parameters, f64: loss and
            every gradient.
tests       the tests of tests/diff that compile a network in which it stands, with the numbers of
            the equivalences (E) and invariants (I) that they name.
training    a run shortened to --steps, next to PyTorch from the same weights on the same batches
            (bench/campaign_shakespeare.py): held-out losses within 0.02.

FOLDER keeps every result: a second call with the same compiler and options goes on where the first
ended and repeats what failed; --report only writes the tables. With --wirings the rows of the other
connections stay as docs/connections.json has them; every row names the compiler that it is of. Exit
code 1 when a cell is not green; a connection that hcref does not know has none for reference and
training.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from campaign_shakespeare import GAP, REFERENCE, ROOT, Campaign, read_json, write_atomically

TESTS = os.path.join(ROOT, "tests", "diff")
for folder in (os.path.join(ROOT, "tests"), REFERENCE, TESTS):
    sys.path.insert(0, folder)

SHAKESPEARE = os.path.join(ROOT, "examples", "shakespeare.hc")
SECOND_INPUT = os.path.join(HERE, "second_input.hc")
SMALL = ["d=16", "heads=2", "blocks=2", "n=4", "context=8"]
GRADCHECK, FORWARD, GRADIENT = 1e-6, 1e-10, 1e-10
CELLS = ["gradcheck", "reference", "tests", "training"]


# --- inside a process of its own ----------------------------------------------------------------


def reference(name, file, folder):
    """Relative errors against the transcription; None where there is none."""
    import compare_torch
    import hcref
    import torch

    if name not in hcref.CONNECTIONS:
        return None
    path = os.path.join(folder, f"{name}.so")
    if file != SHAKESPEARE:  # a pair builds what is not there
        compare_torch.build(path, file=file, f64=True, n=4, wiring=name, **compare_torch.SMALL)
    pair = compare_torch.Pair(path, name, 4, True, compare_torch.SMALL)
    pair.randomise()
    tokens = torch.randint(0, 256, (3, 17), generator=torch.Generator().manual_seed(3))
    loss, gradients, vanishing = pair.errors(tokens)
    pair.close()
    worst = max(gradients, key=gradients.get)
    return {"loss": loss, "gradient": gradients[worst], "worst": worst,
            "parameters": len(gradients), "vanishing": len(vanishing)}


def standing_in(arguments, names):
    """The connections in the network that a command of hcc is given, by its text and settings."""
    settings = [word for before, word in zip(arguments, arguments[1:]) if before == "--set"]
    text = ""
    for path in arguments:
        if path.endswith(".hc") and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text += re.sub(r"//.*", "", file.read())
    for setting in settings:
        name = re.escape(setting.split("=")[0])
        text = re.sub(rf"\b{name}\s*=\s*\w+(\s*\([^()]*\))?", "", text, count=1)
    text += " ".join(settings)
    return {name for name in names if re.search(rf"=\s*{name}\b", text)}


class Observer(unittest.TestResult):
    """Which connections each test compiled, what it printed and how it ended."""

    def __init__(self, names):
        super().__init__()
        self.names, self.tests, self.seen, self.printed = names, [], set(), io.StringIO()

    def startTest(self, test):
        super().startTest(test)
        self.seen, self.printed = set(), io.StringIO()
        self.before = len(self.failures) + len(self.errors)
        self.skips = len(self.skipped)
        self.outer, sys.stdout = sys.stdout, self.printed

    def stopTest(self, test):
        sys.stdout = self.outer
        super().stopTest(test)
        wrong = (self.failures + self.errors)[self.before:]
        words = self.printed.getvalue().splitlines()
        labels = re.compile(r"\b[EI]\d{1,2}\b")  # in the description: of all that it compiles
        of_all = set(labels.findall(test._testMethodDoc or ""))
        of_one = {name: {label for line in words if re.search(rf"\b{name}\b", line)
                         for label in labels.findall(line)} for name in self.seen}
        self.tests.append({
            "test": test.id().split(".", 1)[1] if "." in test.id() else test.id(),
            "result": "failed" if len(self.failures) + len(self.errors) > self.before else
                      "skipped" if len(self.skipped) > self.skips else "passed",
            "message": wrong[-1][1][-600:] if wrong else "",
            "connections": {name: sorted(of_all | of_one[name]) for name in sorted(self.seen)}})


def observe(script, names):
    """Runs one test file and says which connections each of its tests is about."""
    import harness

    plain, result = harness.hcc, Observer(names)

    def hcc(*arguments, **options):
        result.seen |= standing_in([str(a) for a in arguments], names)
        return plain(*arguments, **options)

    harness.hcc = hcc
    module = __import__(script)
    suite = unittest.TestLoader().loadTestsFromModule(module)
    suite.run(result)
    for test, trace in result.errors:  # what went wrong between tests, in a class's preparation
        if not isinstance(test, unittest.TestCase) and not hasattr(test, "test_case"):
            result.tests.append({"test": str(test), "result": "failed", "message": trace[-600:],
                                 "connections": {}})
    return result.tests


# --- cells --------------------------------------------------------------------------------------


class Table:
    def __init__(self, options, definitions):
        self.options, self.names = options, list(definitions)
        self.files = {name: SECOND_INPUT if re.match(rf"connection {name}(\([^{{]*?\))? : ", text)
                      else SHAKESPEARE for name, text in definitions.items()}
        self.campaign = Campaign(options)
        self.hcc = os.path.abspath(options.hcc)

    def kept(self, *path):
        return os.path.join(self.options.out, *path)

    def inside(self, *words):
        """What a call of this script in the other Python says as its last line."""
        environment = dict(os.environ, HCC=self.hcc, PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run([self.options.torch_python, os.path.abspath(__file__), *words],
                              capture_output=True, encoding="utf-8", errors="replace",
                              env=environment, check=False, timeout=self.options.timeout)
        if done.returncode:
            raise RuntimeError((done.stderr or done.stdout)[-600:])
        return json.loads(done.stdout.splitlines()[-1])

    def fill(self, path, what, make):
        """One result, made unless it is there already and good."""
        if (cell := read_json(path)) and cell["green"]:
            return
        self.campaign.say(f"begin {what}")
        begun = time.time()
        try:
            cell = make()
        except Exception as error:  # shown in the table, must not end it
            cell = {"green": False, "error": str(error)[-600:]}
        cell["seconds"] = round(time.time() - begun, 1)
        write_atomically(path, json.dumps(cell, indent=1) + "\n")
        self.campaign.say(f"{'end' if cell['green'] else 'NOT GREEN'} {what}: "
                          f"{cell['seconds']:.0f} s {cell.get('error', '')}")

    def gradcheck(self, name):
        words = [word for setting in [*SMALL, f"wiring={name}"] for word in ("--set", setting)]
        done = subprocess.run([self.hcc, "gradcheck", self.files[name], "--json", *words],
                              capture_output=True, encoding="utf-8", check=False,
                              timeout=self.options.timeout)
        if not done.stdout.startswith("{"):
            raise RuntimeError(done.stderr[-600:])
        report = json.loads(done.stdout)
        tested = [p for p in report["parameters"] if p["verdict"] not in ("none", "tiny")]
        error = max(p["relative_error"] for p in tested)
        return {"green": report["ok"] and error < GRADCHECK, "error_relative": error,
                "tensors": len(tested),
                "without_influence": len(report["parameters"]) - len(tested)}

    def reference(self, name):
        found = self.inside("--reference", name, "--file", self.files[name], "--out",
                            self.kept("libraries"))
        if found is None:
            return {"green": False, "none": True}
        return {"green": found["loss"] <= FORWARD and found["gradient"] <= GRADIENT, **found}

    def training(self, name):
        if (read_json(self.kept("cells", name, "reference.json")) or {}).get("none"):
            return {"green": False, "none": True}
        self.options.file = self.files[name]
        before = len(self.campaign.failures)
        if self.campaign.train(name, 1):
            self.campaign.train_twin(name, 1)
        result = self.campaign.result(name, 1)
        if len(self.campaign.failures) > before or not result or "torch" not in result:
            what = self.campaign.failures[before:] or ["its twin did not train"]
            raise RuntimeError(f"failed: {', '.join(what)}; see {self.campaign.folder(name, 1)}")
        twin = result["torch"]
        return {"green": abs(twin["difference"]) <= GAP, "hcc": result["val_loss"],
                "torch": twin["val_loss"], "difference": twin["difference"],
                "largest_of_a_step": twin["whole_run"]}

    def tests(self, script):
        found = self.inside("--observe", script, "--names", ",".join(self.names))
        return {"green": all(t["result"] != "failed" for t in found), "tests": found}

    def scripts(self):
        found = []
        for file in sorted(os.listdir(TESTS)):
            if file.endswith(".py"):
                with open(os.path.join(TESTS, file), encoding="utf-8") as text:
                    if "harness.main(__name__)" in text.read():
                        found.append(file[:-3])
        return found

    def go(self):
        os.makedirs(self.kept("tests"), exist_ok=True)
        os.makedirs(self.kept("libraries"), exist_ok=True)
        for name in self.options.wirings:
            os.makedirs(self.kept("cells", name), exist_ok=True)
            for kind in ("gradcheck", "reference", "training"):
                if kind in self.options.cells:
                    self.fill(self.kept("cells", name, kind + ".json"), f"{kind} {name}",
                              lambda kind=kind, name=name: getattr(self, kind)(name))
                    self.report()
        if "tests" in self.options.cells:
            for script in self.options.scripts or self.scripts():
                self.fill(self.kept("tests", script + ".json"), f"tests {script}",
                          lambda script=script: self.tests(script))
                self.report()

    # --- the table ------------------------------------------------------------------------------

    def of_tests(self, name):
        """The tests that compile it."""
        entry = {"passed": [], "failed": [], "skipped": 0, "labels": set()}
        for script in self.scripts():
            for test in (read_json(self.kept("tests", script + ".json")) or {}).get("tests", []):
                if name not in test["connections"]:
                    continue
                if test["result"] == "skipped":
                    entry["skipped"] += 1
                    continue
                entry[test["result"]].append(f"{script}.{test['test']}")
                if test["result"] == "passed":
                    entry["labels"] |= set(test["connections"][name])
        entry["labels"] = sorted(entry["labels"], key=lambda s: (s[0], int(s[1:])))
        entry["green"] = bool(entry["passed"]) and not entry["failed"]
        return entry

    def report(self):
        at = os.path.join(self.options.docs, "connections")
        table, rows, good = {}, [], True
        before = (read_json(at + ".json") or {}).get("connections", {})
        for name in self.names:
            if name not in self.options.wirings:
                if name in before:
                    table[name] = before[name]
                    good &= before[name]["green"]
                    rows.append(self.row(name, before[name]))
                continue
            cells = {kind: read_json(self.kept("cells", name, kind + ".json"))
                     for kind in ("gradcheck", "reference", "training")}
            cells["tests"] = self.of_tests(name)
            green = all(cells[kind] and cells[kind]["green"] for kind in CELLS)
            good &= green
            table[name] = {"green": green, "compiler": self.options.compiler,
                           "steps": self.options.steps, **cells}
            rows.append(self.row(name, table[name]))
        broken = [script for script in self.scripts()
                  if not (read_json(self.kept("tests", script + ".json")) or {"green": True})["green"]]
        good &= not broken
        count = sum(entry["green"] for entry in table.values())
        settings = f" and {', '.join(self.options.set[1:])}" if self.options.set[1:] else ""
        lines = [
            "# Connections and what is known of them", "",
            "Written by `bench/connections.py`; do not edit. The numbers are in `connections.json`.",
            "",
            f"- **gradcheck**: `hcc gradcheck examples/shakespeare.hc` with {', '.join(SMALL)}: "
            f"largest relative error of a derivative, f64, below {GRADCHECK:.0e}.",
            "- **reference**: the same network in PyTorch, random parameters, f64: relative "
            f"difference of the loss and the largest of a gradient, at most {GRADIENT:.0e}.",
            "- **tests**: those of `tests/diff` that compile a network in which it stands, and the "
            "equivalences (E) and invariants (I) that they name.",
            f"- **training**: `examples/shakespeare.hc` shortened to {self.options.steps} steps"
            f"{settings}, seed 1: held-out loss, PyTorch's from the same weights on the same "
            f"batches, and the difference, at most {GAP}.", "",
            "A connection with an input of its own stands in `bench/second_input.hc` instead.",
            "A cell that is not green is bold; – means that there is none.", "",
            f"{count} of {len(table)} are green in every column.", ""]
        compilers = sorted({entry["compiler"] for entry in table.values()})
        if len(compilers) > 1:
            lines += ["Not all rows are of one compiler (`connections.json` tells which, by the hash of "
                      "its binary): " + "; ".join(
                          f"{c}: {sum(e['compiler'] == c for e in table.values())} rows"
                          for c in compilers) + ".", ""]
        lines += ["| connection | gradcheck | reference | tests | training | green |",
                  "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        if broken:
            lines += ["", f"Test files that fail: {', '.join(broken)}."]
        os.makedirs(self.options.docs, exist_ok=True)
        write_atomically(at + ".json", json.dumps({
            "steps": self.options.steps, "set": self.options.set, "connections": table},
            indent=1) + "\n")
        write_atomically(at + ".md", "\n".join(lines) + "\n")
        return good

    def row(self, name, entry):
        return [f"`{name}`", *(self.shown(kind, entry[kind]) for kind in CELLS),
                "yes" if entry["green"] else "**no**"]

    @staticmethod
    def shown(kind, cell):
        if cell is None or cell.get("none"):
            return "–"
        if "error" in cell:
            return "**failed**"
        if kind == "gradcheck":
            text = f"{cell['error_relative']:.0e}"
        elif kind == "reference":
            text = f"{cell['loss']:.0e}, {cell['gradient']:.0e}"
        elif kind == "training":
            text = f"{cell['hcc']:.4f}, {cell['torch']:.4f}, {cell['difference']:+.4f}"
        elif not cell["passed"] and not cell["failed"]:
            return "–"
        else:
            text = f"{len(cell['passed'])} passed"
            if cell["failed"]:
                text += f", {len(cell['failed'])} failed"
            if cell["labels"]:
                text += f": {' '.join(cell['labels'])}"
        return text if cell["green"] else f"**{text}**"


def main():
    def words(text):
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--file", help=argparse.SUPPRESS)
    parser.add_argument("--data", help="the text to train on")
    parser.add_argument("--out", help="folder of the results")
    parser.add_argument("--docs", default=os.path.join(ROOT, "docs"), help="where the tables go")
    parser.add_argument("--torch-python", default=sys.executable,
                        help="a Python with PyTorch, numpy, safetensors, einops and the package")
    parser.add_argument("--steps", type=int, default=200, help="of the shortened training")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="of training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="of a cell")
    parser.add_argument("--wirings", type=words, help="only these connections")
    parser.add_argument("--cells", type=words, default=CELLS, help=f"only these of {CELLS}")
    parser.add_argument("--scripts", type=words, help="only these of tests/diff")
    parser.add_argument("--report", action="store_true", help="only write the tables")
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    parser.add_argument("--observe", help=argparse.SUPPRESS)
    parser.add_argument("--names", type=words, help=argparse.SUPPRESS)
    options = parser.parse_args()

    if options.reference or options.observe:
        with contextlib.redirect_stdout(sys.stderr):
            found = (reference(options.reference, options.file, options.out) if options.reference
                     else observe(options.observe, options.names))
        print(json.dumps(found))
        return

    if not options.out or not options.data:
        parser.error("--data and --out are needed")
    if not os.path.exists(options.hcc):
        parser.error(f"no compiler at {options.hcc}")
    options.out = os.path.abspath(options.out)
    options.set = [f"train.steps={options.steps}", *options.set]
    os.makedirs(options.out, exist_ok=True)
    with open(options.hcc, "rb") as file:
        key = {"set": options.set, "hcc": hashlib.sha256(file.read()).hexdigest()}
    options.compiler = key["hcc"][:12]
    path = os.path.join(options.out, "table.json")
    if read_json(path) not in (None, key):
        parser.error(f"{options.out} holds results of another compiler or other settings")
    write_atomically(path, json.dumps(key) + "\n")

    listed = subprocess.run([options.hcc, "show", "--json"], capture_output=True, check=True)
    definitions = {e["name"]: e["text"] for e in json.loads(listed.stdout)
                   if e["kind"] == "connection"}
    options.wirings = options.wirings or list(definitions)
    if unknown := sorted(set(options.wirings) - set(definitions)):
        parser.error(f"no such connections: {', '.join(unknown)}")
    table = Table(options, definitions)
    if not options.report:
        table.go()
    good = table.report()
    with open(os.path.join(options.docs, "connections.md"), encoding="utf-8") as file:
        print(file.read())
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
