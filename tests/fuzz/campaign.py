#!/usr/bin/env python3
"""Programs at random through interpreter and compiled code, in every arrangement.

    python3 tests/fuzz/campaign.py --hcc build/hcc --first 1 --count 5000 --state fuzz.jsonl

goes on where it was stopped: the state file holds a line for each seed that is done. At the end,
and with `--summary` alone, it says how many programs differed or met a fault, by signature.
"""

import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import programs

ARRANGED = "f64 f32 f64,plain f32,plain f64,baseline f32,baseline f64,v3 f32,v3 f64,O3 f32,O3 f64,least f32,least " \
           "f64,O3,plain f32,O3,v3 f64,O3,baseline".split()


def arrangements(seed, everything=False):
    """What a program is tried in: a core that finds most faults, all of it for one in sixty-four."""
    draw = random.Random(seed + 1000000)
    if everything or seed % 64 == 0:
        return [*ARRANGED, "gradcheck,-O0,--no-cache", "gradcheck,--no-cache"]
    cpus = ["", ",v3", ",baseline"]
    first, second = "f64" + draw.choice(cpus), "f32" + draw.choice(cpus)
    chosen = [first, second]
    if draw.random() < 0.4:
        chosen.append(draw.choice([first, second]) + ",least")
    if draw.random() < 0.3:
        chosen.append(draw.choice(["f64,plain", "f32,plain"]))
    if draw.random() < 0.1:
        chosen.append(draw.choice(["f64,O3", "f32,O3", "f32,O3,v3", "f64,O3,baseline"]))
    if draw.random() < 0.3:
        chosen.append("gradcheck,-O0,--no-cache")
    return chosen


class Trier:
    """The program that tries others, kept running."""

    def __init__(self, path):
        self.path, self.process = path, None

    def start(self):
        cpu = {"OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **cpu}, errors="replace")

    def attempt(self, file, seed, chosen, seconds=30):
        """[(arrangement, code, seconds, bits, what)]"""
        if not self.process or self.process.poll() is not None:
            self.start()
        self.process.stdin.write(f"{file} {seed} {seconds} {' '.join(chosen)}\n")
        self.process.stdin.flush()
        found = []
        for line in self.process.stdout:
            if line.strip() == "end":
                return found
            name, code, took, bits, what = (line.rstrip("\n") + " ").split(" ", 4)
            found.append((name, code, float(took), bits, what.strip()))
        raise SystemExit(f"{self.path} ended by itself")

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def plain(what):
    """A message without what differs from program to program."""
    found = re.search(r"internal fault.*", what)
    what = found.group() if found else re.sub(r"^(in \w+:).*", r"\1", what)
    what = re.sub(r"to see it again:.*", "", what)
    what = re.sub(r"this is a fault of the compiler, not of your file;", "", what)
    what = re.sub(r"(at )?/\S+:\d+:\d+", "", what)
    what = re.sub(r"kernel \S+:", "kernel:", what)
    what = re.sub(r"'[^']*'|`[^`]*`", "'X'", what)
    what = re.sub(r"%?\d+(\.\d+)?(e[-+]?\d+)?", "N", what)
    return re.sub(r"\s+", " ", what).strip()[:160]


def signature(name, code, what):
    """One line by which equal faults are known."""
    words = name.split(",")
    kind = "gradcheck" if words[0] == "gradcheck" else "plain" if "plain" in words else "fused"
    if code == "off":
        return f"off: {what.split(' of ')[0]}, {words[0]}, {kind}"
    if code == "bits":
        return f"bits, {kind}"
    if words[0] == "gradcheck" and code == "5":
        return "gradcheck: WRONG"
    return f"{code}: {plain(what)}"


def judge(found):
    """(verdict, signature, arrangement, what) of the first fault; the rest are its consequences."""
    if not found:
        return "fault", "nothing was tried", "", ""
    by_name = {}
    for name, code, _, bits, what in found:
        if code == "1":
            what = re.sub(r"warning\[.*?(?=error\[|$)", "", what)
            return "refused", plain(what), name, what
        if code == "infinite":
            return "infinite", "", name, what
        if code != "0":
            verdict = "difference" if code in ("off", "bits", "5") else "fault"
            return verdict, signature(name, code, what), name, what
        by_name[name] = bits
    for name, bits in by_name.items():
        other = by_name.get(name.replace(",least", ""))
        if ",least" in name and other and other != bits:
            return "difference", "bits: least memory", name, ""
    return "ok", "", "", ""


def beside(hcc):
    """Where the build has put try_program."""
    return os.path.join(os.path.dirname(os.path.abspath(hcc)), "tests", "try_program")


def run(options):
    done = {}
    if os.path.exists(options.state):
        with open(options.state, encoding="utf-8") as file:
            for line in file:
                one = json.loads(line)
                done[one["seed"]] = one
    trier = Trier(options.tries)
    begun, told = time.time(), time.time()
    wanted = [s for s in range(options.first, options.first + options.count) if s not in done]
    with open(options.state, "a", encoding="utf-8") as state, tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(wanted):
            path = os.path.join(folder, "program.hc")
            with open(path, "w", encoding="utf-8") as file:
                file.write(programs.text(seed))
            found = trier.attempt(path, seed, arrangements(seed, options.everything), options.seconds)
            verdict, sign, name, what = judge(found)
            done[seed] = {"seed": seed, "verdict": verdict, "signature": sign, "arrangement": name, "what": what,
                          "seconds": round(sum(f[2] for f in found), 3)}
            state.write(json.dumps(done[seed]) + "\n")
            state.flush()
            if time.time() - told > 20:
                told = time.time()
                print(f"{k + 1} of {len(wanted)}, {(told - begun) / (k + 1):.2f} s each", file=sys.stderr, flush=True)
    trier.close()
    return [done[s] for s in sorted(done) if options.first <= s < options.first + options.count]


def summary(results):
    verdicts = collections.Counter(r["verdict"] for r in results)
    print(f"{len(results)} programs: {verdicts['difference']} differences, {verdicts['fault']} faults; "
          f"{verdicts['refused']} refused, {verdicts['infinite']} without finite results; "
          f"{sum(r['seconds'] for r in results):.0f} s of processor time")
    groups = collections.defaultdict(list)
    for r in results:
        if r["verdict"] not in ("ok", "infinite"):
            groups[r["verdict"], r["signature"]].append(r["seed"])
    for (verdict, sign), seeds in sorted(groups.items(), key=lambda g: -len(g[1])):
        print(f"{len(seeds):5} {verdict}: {sign}\n        seeds {' '.join(map(str, seeds[:12]))}")
    return verdicts["difference"] + verdicts["fault"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--state", default="fuzz.jsonl")
    parser.add_argument("--seconds", type=int, default=30, help="processor time for one arrangement")
    parser.add_argument("--everything", action="store_true", help="every program in every arrangement")
    parser.add_argument("--tries", help="try_program; beside hcc by default")
    options = parser.parse_args()
    options.tries = options.tries or beside(options.hcc)
    sys.exit(1 if summary(run(options)) else 0)


if __name__ == "__main__":
    main()
