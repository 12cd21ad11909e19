#!/usr/bin/env python3
"""Sweeps that are killed at random moments and go on.

    python3 tests/fuzz/kill_sweeps.py --hcc build/hcc --count 50

Every case is a sweep of four small runs, two at a time, that is killed (SIGKILL) up to four times, each time
at another moment, its workers with it in four of ten cases, and started again; then the weights of all runs must be
byte for byte those of the sweep that nobody disturbed, and the logs equal but for times.
"""

import argparse
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness

OPTIONS = ["--workers", "2", "--threads", "1", "--vary", "wiring=residual,mhc", "--seeds", "2", "--set",
           "train.steps=400", "--set", "train.eval_every=100", "--set", "train.save_every=50"]


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


class Cases:
    def __init__(self, hcc, folder):
        self.folder = folder
        self.hcc = hcc
        self.environment = dict(os.environ, HCC_CACHE_DIR=os.path.join(folder, "cache"))
        for name, text in (("k.hc", harness.EVALUATED), ("text.txt", "to be or not to be, that is the question:\n" * 40)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)

    def command(self, out):
        return [self.hcc, "sweep", os.path.join(self.folder, "k.hc"), "--data", os.path.join(self.folder, "text.txt"),
                "--out", out, *OPTIONS]

    def run(self, out):
        return subprocess.run(self.command(out), env=self.environment, capture_output=True, text=True, check=False)

    def kill_workers(self, out):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                words = read(path).split(b"\0")
                if b"train" in words[:2] and any(word.startswith(out.encode() + b"/") for word in words):
                    os.kill(int(path.split("/")[2]), signal.SIGKILL)
            except OSError:
                pass  # it has ended

    def killed(self, out, after, workers):
        process = subprocess.Popen(self.command(out), env=self.environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(after)
        if workers:
            self.kill_workers(out)
        process.kill()
        process.wait()

    def results(self, out):
        found = {}
        for path in glob.glob(os.path.join(out, "*", "config.json")):
            run = os.path.dirname(path)
            lines = [json.loads(line) for line in read(run, "log.jsonl").splitlines()]
            for line in lines:
                del line["positions_per_s"]
            found[os.path.basename(run)] = (read(run, "ckpt/final.safetensors"), lines,
                                            json.loads(read(run, "summary.json"))["val_loss"])
        return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    kills = failed = 0
    with tempfile.TemporaryDirectory(prefix="hcc-sweeps-") as folder:
        cases = Cases(os.path.abspath(arguments.hcc), folder)
        begun = time.time()
        whole = os.path.join(folder, "whole")
        first = cases.run(whole)
        assert first.returncode == 0, first.stderr
        took, expected = time.time() - begun, cases.results(whole)
        for k in range(arguments.count):
            out = os.path.join(folder, f"killed-{k}")
            for _ in range(draw.randint(1, 4)):
                cases.killed(out, draw.random() * took, draw.random() < 0.4)
                kills += 1
            last = cases.run(out)
            if last.returncode != 0 or cases.results(out) != expected:
                failed += 1
                print(f"FAILED case {k} of --seed {arguments.seed}: exit code {last.returncode}\n{last.stderr}")
            shutil.rmtree(out)
    print(f"{kills} kills")
    harness.totals(arguments.count - failed, failed)


main()
