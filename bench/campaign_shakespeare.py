#!/usr/bin/env python3
"""Trains examples/shakespeare.hc in every wiring and with several seeds, next to PyTorch.

    python bench/campaign_shakespeare.py --hcc build/hcc --data tinyshakespeare.txt --out CAMPAIGN \
        --torch-python build/venv/bin/python

hcc trains one run after the other. For the seeds in --torch-seeds, PyTorch trains the same network
(tests/reference/hcref) from the same initial weights, on the windows that hcc drew and logged, at
most one at a time beside hcc. Without --torch-python that half is left out.

CAMPAIGN/table.md and table.json are rewritten after every run. A second call with the same options
goes on where the first ended; --report only writes the tables. Exit code 1 when a mean held-out
loss is above its limit or PyTorch's differs by more than 0.02, 2 when a run failed.
"""

import argparse
import json
import os
import queue
import shutil
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REFERENCE = os.path.join(ROOT, "tests", "reference")
sys.path.insert(0, os.path.join(ROOT, "tests", "diff"))

WIRINGS = ["residual", "mhc", "dhc", "shc", "frac", "postnorm"]
LIMITS = {"postnorm": 2.05}
LIMIT, GAP = 1.92, 0.02


def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def write_atomically(path, text):
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


class Campaign:
    def __init__(self, options):
        self.options = options
        self.failures = []
        self.lock = threading.Lock()
        self.extra = [word for setting in options.set for word in ("--set", setting)]

    def folder(self, wiring, seed):
        return os.path.join(self.options.out, f"{wiring}-{seed}")

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def run(self, what, command, log, **more):
        """True when it succeeded; its output is appended to `log`."""
        self.say(f"begin {what}")
        begun = time.time()
        with open(log, "a", encoding="utf-8") as to:
            code = subprocess.run(command, stdout=to, stderr=to, check=False, **more).returncode
        self.say(f"{'end' if code == 0 else f'FAILED ({code}, see {log})'} {what}: "
                 f"{time.time() - begun:.0f} s")
        if code:
            with self.lock:
                self.failures.append(what)
        return code == 0

    # --- hcc ------------------------------------------------------------------------------------

    def train(self, wiring, seed):
        at = self.folder(wiring, seed)
        os.makedirs(at, exist_ok=True)
        if read_json(os.path.join(at, "run", "summary.json")):
            return True
        return self.run(f"hcc {wiring} {seed}", [
            self.options.hcc, "train", self.options.file, "--data", self.options.data, "--out",
            os.path.join(at, "run"), "--force", "--seed", str(seed), "--threads",
            str(self.options.threads), "--batch-log", os.path.join(at, "batches.bin"), "--set",
            f"wiring={wiring}", *self.extra], os.path.join(at, "hcc.txt"))

    # --- PyTorch --------------------------------------------------------------------------------

    def initial_weights(self, wiring, seed):
        """Saves what hcc starts from; returns the manifest."""
        import library  # of tests/diff

        os.environ["HCC"] = os.path.abspath(self.options.hcc)
        at = self.folder(wiring, seed)
        path = library.build(os.path.join(at, "model.so"), "--set", f"wiring={wiring}",
                             *self.extra, file=self.options.file)
        with library.Model(path, samples=1) as model:
            model.init(seed)
            model.save(os.path.join(at, "init.safetensors"))
            return model.manifest

    def train_twin(self, wiring, seed):
        at = self.folder(wiring, seed)
        out = os.path.join(at, "torch.json")
        if read_json(out):
            return True
        try:
            manifest = self.initial_weights(wiring, seed)
        except Exception as error:  # a failed build must not end the campaign
            self.say(f"FAILED initial weights of {wiring} {seed}: {error}")
            with self.lock:
                self.failures.append(f"weights {wiring} {seed}")
            return False
        recipe = read_json(os.path.join(at, "run", "config.json"))["recipe"]
        constants = manifest["constants"]
        write_atomically(os.path.join(at, "nodecay.json"), json.dumps(
            [p["name"] for p in manifest["params"] if not p["decay"]]))
        numbers = subprocess.run(
            [self.options.torch_python, "-c", "import sys, numpy as n; n.save(sys.argv[2], "
             "n.fromfile(sys.argv[1], '<i8').reshape(-1, int(sys.argv[3])))",
             os.path.join(at, "batches.bin"), os.path.join(at, "batches.npy"),
             str(recipe["batch"])], check=False)
        if numbers.returncode:
            with self.lock:
                self.failures.append(f"batches {wiring} {seed}")
            return False
        words = ["--wiring", wiring]
        for name in ("vocab", "context", "d", "heads", "blocks", "n"):
            words += [f"--{name}", constants[name]]
        for ours, theirs in [("steps", "steps"), ("lr", "lr"), ("floor", "floor"),
                             ("warmup", "warmup"), ("beta1", "beta1"), ("beta2", "beta2"),
                             ("weight_decay", "weight-decay"), ("clip", "clip"),
                             ("batch", "batch")]:
            words += [f"--{theirs}", str(recipe[ours])]
        good = self.run(f"torch {wiring} {seed}", [
            self.options.torch_python, "-B", "-m", "hcref.train",
            os.path.abspath(self.options.data), *words, "--threads", str(self.options.threads),
            "--init", os.path.abspath(os.path.join(at, "init.safetensors")), "--offsets",
            os.path.abspath(os.path.join(at, "batches.npy")), "--nodecay",
            os.path.abspath(os.path.join(at, "nodecay.json")), "--out",
            os.path.abspath(out) + ".new"], os.path.join(at, "torch.txt"), cwd=REFERENCE)
        if good:
            os.replace(out + ".new", out)
        return good

    # --- results --------------------------------------------------------------------------------

    def result(self, wiring, seed):
        at = self.folder(wiring, seed)
        summary = read_json(os.path.join(at, "run", "summary.json"))
        if not summary:
            return None
        entry = {"val_loss": summary["val_loss"], "seconds": summary["seconds"]}
        twin = read_json(os.path.join(at, "torch.json"))
        if twin:
            with open(os.path.join(at, "run", "log.jsonl"), encoding="utf-8") as log:
                losses = [json.loads(line)["loss"] for line in log]
            gaps = [abs(a - b) for a, b in zip(losses, twin["losses"])]
            entry["torch"] = {
                "val_loss": twin["val_loss"], "seconds": twin["seconds"],
                "difference": summary["val_loss"] - twin["val_loss"], "first_loss": gaps[0],
                "first_100": max(gaps[:100]), "whole_run": max(gaps)}
        return entry

    def report(self):
        table, lines, good = {}, [], True
        seeds = self.options.seeds
        lines += ["Held-out loss of examples/shakespeare.hc" +
                  (f" with {' '.join(self.options.set)}" if self.options.set else "") +
                  "; `torch`: PyTorch from the same weights on the same batches (first of its seeds);",
                  "`losses`: largest difference of a training loss in the first 100 steps.", ""]
        lines += ["| wiring |" + "".join(f" seed {s} |" for s in seeds) +
                  " mean | limit | torch | difference | losses | hcc s | torch s |",
                  "|---|" + "---|" * (len(seeds) + 7)]
        for wiring in self.options.wirings:
            runs = {seed: self.result(wiring, seed) for seed in seeds}
            known = [r["val_loss"] for r in runs.values() if r]
            twins = [r["torch"] for r in runs.values() if r and "torch" in r]
            limit = LIMITS.get(wiring, LIMIT)
            mean = statistics.mean(known) if known else None
            table[wiring] = {"mean": mean, "limit": limit, "seeds": runs}
            good &= (mean is None or mean <= limit) and all(
                abs(t["difference"]) <= GAP for t in twins)
            lines.append(f"| {wiring} |" + "".join(
                f" {runs[s]['val_loss']:.4f} |" if runs[s] else " |" for s in seeds) +
                (f" {mean:.4f} | {limit} |" if known else f" | {limit} |") +
                (f" {twins[0]['val_loss']:.4f} | {twins[0]['difference']:+.4f} | "
                 f"{twins[0]['first_100']:.1e} |" if twins else " | | |") +
                (f" {statistics.mean(r['seconds'] for r in runs.values() if r):.0f} |"
                 if known else " |") + (f" {twins[0]['seconds']:.0f} |" if twins else " |"))
        write_atomically(os.path.join(self.options.out, "table.json"),
                         json.dumps(table, indent=1) + "\n")
        write_atomically(os.path.join(self.options.out, "table.md"), "\n".join(lines) + "\n")
        return good

    def go(self):
        waiting = queue.Queue()

        def twins():
            while (job := waiting.get()) is not None:
                self.train_twin(*job)
                with self.lock:
                    self.report()

        worker = threading.Thread(target=twins)
        worker.start()
        for seed in self.options.seeds:
            for wiring in self.options.wirings:
                trained = self.train(wiring, seed)
                with self.lock:
                    self.report()
                if trained and self.options.torch_python and seed in self.options.torch_seeds:
                    waiting.put((wiring, seed))
        waiting.put(None)
        worker.join()


def main():
    def words(text):
        return text.split(",")

    def numbers(text):
        return [int(word) for word in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--file", default=os.path.join(ROOT, "examples", "shakespeare.hc"))
    parser.add_argument("--data", required=True, help="the text to train on")
    parser.add_argument("--out", required=True, help="folder of the campaign")
    parser.add_argument("--wirings", type=words, default=WIRINGS)
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    parser.add_argument("--torch-seeds", type=numbers, default=[1])
    parser.add_argument("--torch-python", help="a Python with PyTorch, numpy and safetensors")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--report", action="store_true", help="only write the tables")
    options = parser.parse_args()
    options.out = os.path.abspath(options.out)
    os.makedirs(options.out, exist_ok=True)

    key = {"set": options.set}
    kept = os.path.join(options.out, "campaign.json")
    if read_json(kept) not in (None, key):
        parser.error(f"{options.out} holds a campaign with other settings: {read_json(kept)}")
    if not shutil.which(options.hcc):
        parser.error(f"no compiler at {options.hcc}")
    write_atomically(kept, json.dumps(key) + "\n")

    campaign = Campaign(options)
    if not options.report:
        campaign.go()
    good = campaign.report()
    with open(os.path.join(options.out, "table.md"), encoding="utf-8") as table:
        print(table.read())
    for what in campaign.failures:
        print(f"failed: {what}")
    sys.exit(2 if campaign.failures else 0 if good else 1)


if __name__ == "__main__":
    main()
