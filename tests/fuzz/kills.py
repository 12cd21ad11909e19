#!/usr/bin/env python3
"""Training that is killed at random moments and goes on.

    python3 tests/fuzz/kills.py --hcc build/hcc --count 100 --state kills.jsonl

Every case is a run of a small model with dropout that is killed (SIGKILL) up to four times, each time at
another moment, three in ten of them while a checkpoint is being written, and resumed with one or
two threads; then its weights must be byte for byte those of the run that nobody disturbed, its log
equal but for times, and each step there once. Optimisers and schedules take turns. The state file holds
a line for each case that is done: it goes on where it was stopped.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MODEL = """use std;
branch dropping(hidden, rate) : x[d] -> y[d] {
  param U[hidden, d] ~ normal(0.05);
  param D[d, hidden] ~ normal(0.05);
  let u[k] = sum[c] U[k,c] * x[c];
  let y[c] = sum[k] D[c,k] * dropout(gelu(u), rate)[k];
}
model killed {
  const vocab = 256, d = 32, n = 2;
  positions t <= 16 causal;
  input  tokens[t] : token(vocab);
  target next[t]   : token(vocab);
  param E[vocab, d] ~ normal(0.02);
  let x = embed(tokens, E) + position(t);
  let h = trunk(x) { a = mhc(iters = 3) : attention(2, causal = true); b = mhc(iters = 3) : dropping(64, 0.1); };
  let logits[v] = sum[c] E[v,c] * h[c];
  loss cross_entropy(logits, next);
}
train killed {
  data text { tokens[t] = bytes[t]; next[t] = bytes[t + 1]; held_out = 0.1; }
  batch 4; steps 150; clip 1.0; seed 1; eval_every 20; save_every 3; keep 2;
}
"""
RECIPES = [["train.optimizer=adamw", "train.schedule=cosine", "train.warmup=10"],
           ["train.optimizer=sgd", "train.lr=0.05", "train.batch=4 in 2", "train.ema=0.9"],
           ["train.optimizer=muon", "train.lr=0.02", "train.schedule=wsd",
            "train.batch=4 in 4"],
           ["train.optimizer=lion", "train.lr=1e-4", "train.schedule=linear"]]
TIMES = {"positions_per_s"}


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def log_of(run):
    lines = [json.loads(line) for line in read(run, "log.jsonl").splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


class Killer:
    def __init__(self, hcc, folder):
        self.hcc, self.folder = hcc, folder
        self.model, self.data = os.path.join(folder, "killed.hc"), os.path.join(folder, "text")
        draw = random.Random(1)
        with open(self.model, "w", encoding="ascii") as file:
            file.write(MODEL)
        with open(self.data, "w", encoding="ascii") as file:
            file.write("".join(draw.choice("abcdefgh \n") for _ in range(4000)))
        self.whole = {}

    def new(self, run, recipe, threads):
        settings = [word for setting in recipe for word in ("--set", setting)]
        return [self.hcc, "train", self.model, "--data", self.data, "--out", run, "--quiet", "--threads",
                str(threads), *settings]

    def undisturbed(self, recipe):
        """The folder of the run that nobody disturbs, and how long it took."""
        key = " ".join(recipe)
        if key not in self.whole:
            run = os.path.join(self.folder, f"whole-{len(self.whole)}")
            subprocess.run(self.new(run, recipe, 1), check=True, stdout=subprocess.DEVNULL)
            started = time.monotonic()
            shutil.rmtree(run)
            subprocess.run(self.new(run, recipe, 1), check=True, stdout=subprocess.DEVNULL)
            self.whole[key] = run, time.monotonic() - started
        return self.whole[key]

    def kill(self, command, run, moment, saving):
        """Whether it was alive when it was killed, and whether that was inside a save."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        checkpoints = os.path.join(run, "ckpt")

        def writes():
            try:
                return any(".tmp-" in name for name in os.listdir(checkpoints))
            except FileNotFoundError:
                return False
        end = time.monotonic() + moment
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.0005)
        while saving and process.poll() is None and not writes():
            pass
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[1].decode()
        if process.returncode not in (0, -signal.SIGKILL):
            raise AssertionError(f"exit code {process.returncode}: {said}")
        return alive, alive and writes()

    def case(self, seed):
        draw = random.Random(seed)
        recipe = RECIPES[seed % len(RECIPES)]
        whole, seconds = self.undisturbed(recipe)
        run = os.path.join(self.folder, "run")
        shutil.rmtree(run, ignore_errors=True)
        done = {"seed": seed, "kills": 0, "inside a save": 0, "recipe": recipe[0]}
        for _ in range(draw.randint(1, 4)):
            begun = os.path.exists(os.path.join(run, "ckpt", "last"))
            threads = draw.choice((1, 2))
            command = [self.hcc, "train", "--resume", run, "--quiet", "--threads", str(threads)] if begun \
                else [*self.new(run, recipe, threads), "--force"]
            alive, inside = self.kill(command, run, draw.uniform(0, 1.2 * seconds), draw.random() < 0.4)
            done["kills"] += alive
            done["inside a save"] += inside
        command = [self.hcc, "train", "--resume", run, "--quiet", "--threads", str(draw.choice((1, 2)))]
        end = subprocess.run(command, capture_output=True, text=True, check=False)
        if end.returncode == 3 and not os.path.exists(os.path.join(run, "ckpt", "last")):
            # killed before the first checkpoint was there: nothing was lost, and it begins anew
            end = subprocess.run([*self.new(run, recipe, 1), "--force"], capture_output=True, text=True,
                                 check=False)
        if end.returncode != 0:
            raise AssertionError(f"exit code {end.returncode}: {end.stderr}")
        if log_of(run) != log_of(whole):
            raise AssertionError("the log is another")
        for name in ("ckpt/final.safetensors", "ckpt/last/parameters.safetensors"):
            if read(run, name) != read(whole, name):
                raise AssertionError(f"{name} is another")
        left = [name for name in os.listdir(os.path.join(run, "ckpt")) if ".tmp-" in name]
        if left:
            raise AssertionError(f"left behind: {left}")
        return done


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--count", type=int, default=100, help="how many kills")
    parser.add_argument("--state", required=True)
    arguments = parser.parse_args()
    lines = []
    if os.path.exists(arguments.state):
        with open(arguments.state, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
    kills = sum(line.get("kills", 0) for line in lines)
    with tempfile.TemporaryDirectory() as folder, open(arguments.state, "a", encoding="utf-8") as state:
        killer = Killer(os.path.abspath(arguments.hcc), folder)
        seed = len(lines)
        while kills < arguments.count:
            seed += 1
            try:
                done = killer.case(seed)
            except AssertionError as error:
                done = {"seed": seed, "failed": str(error)}
                print(json.dumps(done))
            kills += done.get("kills", 0)
            lines.append(done)
            state.write(json.dumps(done) + "\n")
            state.flush()
    failed = [line for line in lines if "failed" in line]
    inside = sum(line.get("inside a save", 0) for line in lines)
    print(f"{len(lines)} runs, {kills} kills, {inside} inside a save, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
