#!/usr/bin/env python3
"""Commands in which the n-th allocation fails: they end with 6 and say that memory ran out, or with everything done.

    python3 tests/fuzz/allocations.py --hcc build/hcc --state allocations.jsonl [COMMAND ...]

tries every n of every command, and goes on where it was stopped: the state file holds a line for each
that is done. `--sample 4` tries so many of each command, which is what every test run can afford.
"""

import argparse
import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

MODEL = """
connection gated {
  state h[d];
  param a[d] = 1;
  begin h    = x;
  read  x    = h;
  write h[c] = h[c] + a[c] * y[c];
  end   x    = h;
}
model k {
  const d = 16;
  positions t <= 4;
  input  tokens[t] : token(256);
  target next[t]   : token(256);
  param T[256, d] ~ normal(0.1);
  let x = embed(tokens, T);
  let h = trunk(x) { one = gated : mlp(16); };
  let logits[v] = sum[k] T[v,k] * h[k];
  loss cross_entropy(logits, next);
  probe h;
}
train k { data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; } batch 2; steps 2; seed 1; }
"""

# What is run in a folder with k.hc, t.txt, run and ./k, the model built; {out} is where it writes.
COMMANDS = {
    "check": "check k.hc",
    "mistaken": "check wrong.hc --json",
    "info": "info k.hc --json",
    "nests": "emit k.hc --stage nests",
    "library": "build k.hc -o {out}/k.so --no-cache",
    "kept": "build k.hc -o {out}/k.so",
    "executable": "build k.hc -o {out}/k",
    "train": "train k.hc --data t.txt --out {out}/r --threads 2",
    "watched": "train k.hc --data t.txt --out {out}/r --threads 1 --tensorboard",
    "compiled": "train k.hc --data t.txt --out {out}/r --threads 1 --no-cache",
    "eval": "eval run --json --threads 1",
    "sample": "sample run --length 3 --threads 1",
    "tokenize": "tokenize t.txt --tokenizer own.json --out {out}/t.bin",
    "make tokens": "tokenize t.txt --train 280 --out {out}/own.json",
    "override": "eval run --override T=run: --override *.a=0 --each --json --threads 1",
    "predict": "predict run --output logits --out {out}/l.npy --threads 1",
    "log": "log run",
    "log as CSV": "log run --csv",
    "compare": "compare run",
    "compare as JSON": "compare run --json",
    "gradcheck": "gradcheck k.hc --no-cache",
    "bench": "bench k.hc --steps 1 --threads 1",
    "own train": "./k train --data t.txt --out {out}/r --threads 2 --quiet --set train.lr=0.01 --set train.seed=3",
    "own eval": "./k eval run --json",
    "own info": "./k info --json",
}
TIMED = {"bench", "train", "watched", "compiled", "own train"}  # what they print differs from time to time


def environment(folder, preload=None, failing=0):
    more = {"LD_PRELOAD": preload, "FAIL_ALLOCATION": str(failing),
            "COUNT_ALLOCATIONS": os.path.join(folder, "count")} if preload else {}
    return {**os.environ, "HCC_CACHE_DIR": os.path.join(folder, "cache"), "NO_COLOR": "1", **more}


def files_of(folder):
    """Hashes of all that is there, but what tells times and folders."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                data = file.read()
            if name.endswith(".json") and name != "k.manifest.json":
                json.loads(data)
                data = b""
            if ".tfevents." in name: # which is named by the time, too
                path = os.path.join(at, "events")
            timed = name in ("log.jsonl", "state.safetensors") or ".tfevents." in name
            found[os.path.relpath(path, folder)] = "" if timed else hashlib.sha256(data).hexdigest()
    return found


class Trier:
    def __init__(self, hcc, preload, folder):
        self.hcc, self.preload, self.folder = os.path.abspath(hcc), os.path.abspath(preload), folder
        for name, text in (("k.hc", MODEL), ("wrong.hc", MODEL.replace("probe h;", "probe missing;")),
                           ("t.txt", "to be or not to be, that is the question:\n" * 20)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        for words in ("tokenize t.txt --train 290 --out own.json", "train k.hc --data t.txt --out run --threads 1", "build k.hc -o k"):
            subprocess.run([self.hcc, *words.split()], cwd=folder, env=environment(folder), capture_output=True,
                           check=True)

    def run(self, name, failing):
        out = os.path.join(self.folder, "out")
        shutil.rmtree(out, ignore_errors=True)
        os.mkdir(out)
        words = COMMANDS[name].format(out=out).split()
        if words[0] != "./k":
            words = [self.hcc, *words]
        done = subprocess.run(words, cwd=self.folder, timeout=60, capture_output=True, text=True, errors="replace",
                              check=False, env=environment(self.folder, self.preload, failing))
        return done, files_of(out)

    def reference(self, name):
        """(allocations, exit code, what it prints, what it writes) of the command when none fails."""
        self.run(name, 0)  # fills the cache
        done, files = self.run(name, 0)
        if done.returncode != (1 if name == "mistaken" else 0):
            raise SystemExit(f"{COMMANDS[name]}: {done.returncode}\n{done.stderr}")
        with open(os.path.join(self.folder, "count"), encoding="utf-8") as file:
            return int(file.read()), done.returncode, "" if name in TIMED else done.stdout, files

    def attempt(self, name, failing, right):
        """What is wrong; "": nothing."""
        try:
            done, files = self.run(name, failing)
        except subprocess.TimeoutExpired:
            return "it did not end"
        except ValueError as error:
            return f"a file of JSON that is none: {error}"
        said = (done.stdout + done.stderr).lower()
        if done.returncode == 6 and "memory" in said:
            started = {"r/log.jsonl", "r/config.json", "r/events"} | {f for f in files if f.startswith("r/ckpt/")}
            half = sorted(set(files) - started - set(right[3]))
            wrong = sorted(f for f, h in files.items() if f in right[3] and f not in started and h != right[3][f])
            return f"left {half + wrong}" if half or wrong else ""
        if done.returncode != right[1]:
            return f"exit code {done.returncode}: {said.strip()[-300:]}"
        if name not in TIMED and done.stdout != right[2]:
            return "it printed something else"
        return "" if files == right[3] else f"it wrote something else: {sorted(set(files.items()) ^ set(right[3].items()))}"


def beside(hcc):
    return os.path.join(os.path.dirname(os.path.abspath(hcc)), "tests", "libfail_allocation.so")


def run(options, names):
    done = {}
    if options.state and os.path.exists(options.state):
        with open(options.state, encoding="utf-8") as file:
            for line in file:
                one = json.loads(line)
                done[one["command"], one["n"]] = one
    wanted = []
    with open(options.state or os.devnull, "a", encoding="utf-8") as to, tempfile.TemporaryDirectory() as folder:
        trier = Trier(options.hcc, options.preload or beside(options.hcc), folder)
        for name in names:
            right = trier.reference(name)
            most = right[0] + right[0] // 50  # with threads it is not the same number each time
            numbers = range(1, most + 1)
            if options.sample:
                numbers = [1 + (2 * k + 1) * right[0] // (2 * options.sample) for k in range(options.sample)]
            for n in numbers:
                if (name, n) not in done:
                    done[name, n] = {"command": name, "n": n, "fault": trier.attempt(name, n, right)}
                    to.write(json.dumps(done[name, n]) + "\n")
                    to.flush()
                wanted.append(done[name, n])
    return wanted


def summary(results):
    """How many failed."""
    faults = collections.defaultdict(list)
    tried = collections.Counter(r["command"] for r in results)
    for r in results:
        if r["fault"]:
            faults[r["command"], r["fault"]].append(r["n"])
    for (name, fault), numbers in faults.items():
        print(f"{name}: {fault}\n    allocations {' '.join(map(str, numbers[:20]))}")
    print(", ".join(f"{name} {count}" for name, count in tried.items()))
    failed = sum(len(numbers) for numbers in faults.values())
    print(f"{len(results) - failed} passed, {failed} failed")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--state", help="the state file; none: nothing is kept")
    parser.add_argument("--sample", type=int, default=0, help="so many of each command")
    parser.add_argument("--preload", help="libfail_allocation.so; beside hcc's tests by default")
    parser.add_argument("commands", nargs="*", help=" ".join(COMMANDS))
    options = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(options.hcc)
    if harness.sanitized():
        print("0 passed, 0 failed, 1 skipped: the sanitizer has allocations of its own")
        sys.exit(77)
    sys.exit(1 if summary(run(options, options.commands or list(COMMANDS))) else 0)


if __name__ == "__main__":
    main()
