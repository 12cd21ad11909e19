#!/usr/bin/env python3
"""hcc gradcheck over every connection of the library, kind of branch and number of streams.

    python3 scripts/gradcheck_all.py --hcc build/hcc --out gradcheck.json [--jobs 2] [--only REGEX]

Networks of four sites with random parameters; every tensor's derivatives along random directions
against finite differences, in f64, to 1e-6. Prints a line for each network as it is done and a table
at the end. --out is rewritten after every network; a second call with the same compiler goes on
where the first ended. A network that is not defined is listed with hcc's reason.

Exit code 1 when a tensor is wrong, when kinks leave it unchecked, when a tensor of a connection has no
influence (or one that rounding hides) at every site with every number of streams, when no network of
a connection is defined, or when hcc fails otherwise.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "diff"))
from every_connection import BRANCHES, networks


def reason(hcc, file):
    """Why `hcc check` refuses the file, or None."""
    run = subprocess.run([hcc, "check", file], capture_output=True, encoding="utf-8", check=False)
    found = re.search(r"(?m)^error\[E\d+\]: .*", run.stderr + run.stdout)
    return found[0] if found and run.returncode == 1 else None


def check(hcc, network, limit):
    begun = time.time()
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "check.hc")
        with open(file, "w", encoding="utf-8") as to:
            to.write(network["text"])
        why = reason(hcc, file)
        if why:
            return {"state": "undefined", "why": why}
        try:
            run = subprocess.run([hcc, "gradcheck", file, "--json"], capture_output=True,
                                 encoding="utf-8", timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return {"state": "failed", "why": f"not done after {limit} s"}
    found = {"seconds": round(time.time() - begun, 1)}
    try:
        report = json.loads(run.stdout)
        tensors = report["parameters"]
    except (json.JSONDecodeError, TypeError, KeyError):
        return found | {"state": "failed", "why": f"exit code {run.returncode}: "
                        f"{(run.stderr or run.stdout).strip()[-300:]}"}
    verdicts = collections.Counter(p["verdict"] for p in tensors)
    none = [p for p in tensors if p["verdict"] in ("none", "tiny")]
    seen = [p for p in tensors if p not in none]
    bad = [p for p in seen if p["verdict"] != "ok"]
    return found | {"state": "bad" if bad or not report["ok"] else "ok", "tensors": len(tensors),
                    "loss": report["loss"], "verdicts": verdicts, "bad": bad,
                    "worst": max((p["relative_error"] for p in seen), default=0),
                    "seen": [p["name"] for p in seen], "none": [p["name"] for p in none]}


def line(name, found):
    if found["state"] in ("undefined", "failed"):
        return f"{name:<48} {found['state']}: {found['why']}"
    text = (f"{name:<48} {found['state']:<4} {found['tensors']:>4} tensors, worst "
            f"{found['worst']:.1e}, none {len(found['none'])}, {found.get('seconds', 0):.0f} s")
    for p in found["bad"]:
        text += (f"\n    {p['verdict']} {p['name']}: gradient {p['analytic']:.6e}, differences "
                 f"{p['numeric']:.6e}, relative {p['relative_error']:.1e}, below {p['bound']:.1e}")
    return text


def own(name):
    """Of a connection's tensor `trunk.s1.hc.N.gamma`: `N.gamma`."""
    found = re.match(r"trunk\.\w+\.hc\.(.*)", name)
    return found and found[1]


def table(plan, results):
    """Markdown: a line for each connection, a cell for each branch: worst error over all n."""
    lines = ["| connection | " + " | ".join(BRANCHES) + " | without influence somewhere |",
             "|---|" + "---|" * (len(BRANCHES) + 1)]
    for connection in dict.fromkeys(network["connection"] for network in plan):
        cells, nowhere = [], set()
        for kind in BRANCHES:
            here = [(w, results[w["name"]]) for w in plan
                    if w["connection"] == connection and w["branch"] == kind and w["name"] in results]
            done = [f for _, f in here if f["state"] in ("ok", "bad")]
            cell = f"{max(f['worst'] for f in done):.0e}" if done else "-"
            if any(f["state"] in ("bad", "failed") for _, f in here):
                cell += " FAILED"
            counts = [str(w["n"]) for w, f in here if f["state"] == "ok" and w["n"]]
            cells.append(cell + (f" (n = {', '.join(dict.fromkeys(counts))})" if counts else ""))
            for f in done:
                nowhere |= {own(name) for name in f["none"] if own(name)}
        lines.append(f"| {connection} | {' | '.join(cells)} | {', '.join(sorted(nowhere)) or '-'} |")
    return "\n".join(lines)


def without_influence(plan, results):
    """A connection's tensors that no site of any network shows."""
    seen, none = collections.defaultdict(set), collections.defaultdict(set)
    for network in plan:
        found = results.get(network["name"], {})
        for where, names in ((seen, found.get("seen", [])), (none, found.get("none", []))):
            where[network["connection"]] |= {own(name) for name in names if own(name)}
    return {c: sorted(none[c] - seen[c]) for c in none if none[c] - seen[c]}


def write(path, hcc, results):
    with open(path + ".new", "w", encoding="utf-8") as to:
        json.dump({"compiler": hcc, "results": results}, to, indent=1)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--out", required=True, help="a JSON file")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="networks whose names match this expression")
    parser.add_argument("--limit", type=int, default=900, help="seconds for one network")
    parser.add_argument("--show", action="store_true", help="print the networks and stop")
    options = parser.parse_args()
    plan = [network for network in networks() if re.search(options.only, network["name"])]
    if options.show:
        for network in plan:
            print(f"// {network['name']}\n{network['text']}")
        return 0
    with open(options.hcc, "rb") as file:
        hcc = hashlib.sha256(file.read()).hexdigest()
    results = {}
    if os.path.exists(options.out):
        with open(options.out, encoding="utf-8") as file:
            before = json.load(file)
        results = before["results"] if before["compiler"] == hcc else {}
    left = [network for network in plan if network["name"] not in results]
    left.sort(key=lambda network: network["n"])  # the small ones first
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(check, options.hcc, network, options.limit): network["name"]
                   for network in left}
        for done in concurrent.futures.as_completed(running):
            results[running[done]] = done.result()
            print(line(running[done], done.result()), flush=True)
            write(options.out, hcc, results)
    print("\n" + table(plan, results))
    states = collections.Counter(results[network["name"]]["state"] for network in plan)
    silent = without_influence(plan, results)
    for connection, names in silent.items():
        print(f"{connection}: no influence at any site: {', '.join(names)}")
    for network in plan:
        found = results[network["name"]]
        if found["state"] != "ok":
            print(line(network["name"], found))
    tensors = sum(results[w["name"]].get("tensors", 0) for w in plan)
    worst = max((results[w["name"]].get("worst", 0) for w in plan), default=0)
    print(f"{len(plan)} networks: {states['ok']} ok, {states['undefined']} not defined, "
          f"{states['bad']} with a fault, {states['failed']} failed; {tensors} tensors, largest "
          f"relative error {worst:.1e}")
    checked = {w["connection"] for w in plan if results[w["name"]]["state"] == "ok"}
    unseen = sorted({w["connection"] for w in plan} - checked)
    for connection in unseen:
        print(f"{connection}: no network of it was checked")
    faults = states["bad"] or states["failed"]
    return 1 if faults or ((silent or unseen) and not options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
