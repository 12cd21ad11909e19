#!/usr/bin/env python3
"""Writes docs/library/, the manual of the standard library, from the definitions themselves.

    python3 scripts/manual.py --hcc build/hcc            writes the pages
    python3 scripts/manual.py --hcc build/hcc --check    exit code 1 when they are out of date

A page of a connection holds its doc comment part by part (equation, Source, Begins, Cost, Options,
Differs, Use), what `hcc info` says of it in a model of 12 sites, and the definition. Branches and
functions share a page each.
"""

import argparse
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.path.join(ROOT, "docs", "library")
MODEL = os.path.join(ROOT, "examples", "gpt.hc")
SETTINGS = {"d": 256, "heads": 4, "blocks": 6, "context": 256}
LABELS = ["Source", "Begins", "Cost", "Options", "Differs", "Use"]
TITLES = {"Source": "Source", "Begins": "Initial values and decay", "Cost": "Cost",
          "Options": "Options", "Differs": "Where it differs", "Use": "When to use it"}


def ask(hcc, *arguments):
    return subprocess.run([hcc, *arguments], capture_output=True, text=True, check=False)


def parts_of(doc):
    """{"summary": first sentence, "equation": all before the labels, label: text} of a doc comment."""
    parts, at = {"": []}, ""
    for line in doc.split("\n"):
        found = re.match(r"(%s):\s*(.*)" % "|".join(LABELS), line)
        if found:
            at, line = found[1], found[2]
            parts[at] = []
        parts[at].append(line if at == "" else line.strip())
    first = parts.pop("")
    summary = re.split(r"(?<=\.)\s", " ".join(line.strip() for line in first), maxsplit=1)[0]
    result = {"summary": summary, "equation": "\n".join(first)}
    result.update({label: " ".join(lines) for label, lines in parts.items()})
    return result


def measured(hcc, name):
    sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    answer = ask(hcc, "info", MODEL, "--json", "--set", f"wiring={name}", *sets)
    if answer.returncode:
        return None
    info = json.loads(answer.stdout)
    plain = info.get("against")
    if not plain:
        return None  # it is the residual itself, or has none to be compared with
    flops = info["forward_flops_per_position"] + info["backward_flops_per_position"]
    before = plain["forward_flops_per_position"] + plain["backward_flops_per_position"]
    sites = len(info["sites"])
    return {"parameters": (info["parameters"] - plain["parameters"]) / sites,
            "flops": (flops / before - 1) * 100}


def number(x):
    return f"{x:,.0f}".replace(",", " ")


def connection_page(entry, figures):
    parts = parts_of(entry["doc"])
    lines = [f"# `{entry['name']}`", "", "```text", parts["equation"], "```", ""]
    for label in LABELS:
        if label in parts:
            lines += [f"**{TITLES[label]}.** {parts[label]}", ""]
    if figures:
        lines += [f"In a GPT of 12 sites, d = 256, with its default arguments: "
                  f"{number(figures['parameters'])} parameters a site more than `residual`, "
                  f"{figures['flops']:+.1f} % of a training step's floating-point operations.", ""]
    lines += ["```hc", entry["text"].rstrip("\n"), "```", ""]
    return "\n".join(lines)


def shared_page(title, entries):
    lines = [f"# {title}", ""]
    for entry in entries:
        lines += [f"## `{entry['name']}`", ""]
        if entry["doc"]:
            lines += [entry["doc"], ""]
        lines += ["```hc", entry["text"].rstrip("\n"), "```", ""]
    return "\n".join(lines)


def index_page(connections, figures):
    lines = ["# The standard library", "",
             "Written by `scripts/manual.py` from the definitions; `hcc show NAME` prints one. "
             "[Branches](branches.md) · [functions and modules](functions.md)", "",
             "Parameters a site and floating-point operations of a training step are relative to "
             "`residual`, in a GPT of 12 sites with d = 256.", "",
             "| connection | | parameters a site | operations |", "|---|---|---|---|"]
    for entry in connections:
        f = figures[entry["name"]]
        numbers = f"{number(f['parameters'])} | {f['flops']:+.1f} %" if f else " | "
        summary = parts_of(entry["doc"])["summary"].replace("|", "\\|")
        lines.append(f"| [`{entry['name']}`]({entry['name']}.md) | {summary} | {numbers} |")
    return "\n".join(lines + [""])


def pages(hcc):
    listed = json.loads(ask(hcc, "show", "--json").stdout)
    by_kind = lambda *kinds: sorted((e for e in listed if e["kind"] in kinds),
                                    key=lambda e: e["name"])
    connections = by_kind("connection")
    figures = {e["name"]: measured(hcc, e["name"]) for e in connections}
    result = {f"{e['name']}.md": connection_page(e, figures[e["name"]]) for e in connections}
    result["README.md"] = index_page(connections, figures)
    result["branches.md"] = shared_page("Branches", by_kind("branch"))
    result["functions.md"] = shared_page("Functions and modules", by_kind("fn", "module"))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    options = parser.parse_args()
    wanted = pages(options.hcc)
    os.makedirs(OUT, exist_ok=True)
    stale = sorted(set(os.listdir(OUT)) - set(wanted))
    for name, text in wanted.items():
        path = os.path.join(OUT, name)
        have = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                have = file.read()
        if have != text:
            stale.append(name)
            if not options.check:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
    for name in set(stale) - set(wanted):
        if not options.check:
            os.remove(os.path.join(OUT, name))
    for name in stale:
        done = "written" if name in wanted else "removed"
        print(f"docs/library/{name} {'is out of date' if options.check else done}")
    sys.exit(1 if options.check and stale else 0)


if __name__ == "__main__":
    main()
