#!/usr/bin/env python3
"""Kills a random rank of a run at a random moment, and goes on with another number of ranks, over and over.

    python3 -B tests/fuzz/rank_kills.py --hcc build/hcc --count 50

A run that is killed several times ends with the bits of one that nobody disturbed, log and all, and no process,
no shared memory and no temporary is left. Every fifth kill is aimed at a save: it comes while a checkpoint's
temporary folder is there. Exit code 1 when something differs. (A process that is killed while MPICH starts leaves
MPICH's own mpich_shar_tmp*, of 12 KB, which it unlinks once all have it: these are told apart.)
"""

import argparse
import glob
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "run")]
import harness
import test_ranks
from test_resume import bytes_of, log_of, temporaries

STEPS, SAVES = 600, ["--set", "train.save_every=3"]


def start(mpi, count, words):
    return subprocess.Popen(test_ranks.mpirun(mpi, count, *words), env=harness.environment(test_ranks.ENVIRONMENT),
                            cwd=harness.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def saves_now(out):
    try:
        return any(".tmp-" in name for name in os.listdir(os.path.join(out, "ckpt")))
    except FileNotFoundError:
        return False


def kill_one(draw, process, out, aimed):
    """Whether a rank was killed before the run ended by itself, and whether inside a save."""
    ends = time.monotonic() + draw.uniform(0.3, 2.5)
    ranks = []
    while process.poll() is None and (time.monotonic() < ends or not ranks or not os.path.exists(os.path.join(out, "ckpt", "last"))):
        ranks = [child for child in test_ranks.children(process.pid) if test_ranks.runs_hcc(child)]
        time.sleep(0.005)
    while aimed and process.poll() is None and not saves_now(out):
        pass
    inside = saves_now(out)
    if process.poll() is not None:
        return False, False
    try:
        os.kill(draw.choice(ranks), signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(timeout=120)
    test_ranks.wait_until(lambda: not any(os.path.exists(f"/proc/{rank}") for rank in ranks), 60)
    return True, inside


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ["HCC"] = os.path.abspath(options.hcc)
    draw = random.Random(options.seed)
    launchers = [mpi for mpi in ("openmpi", "mpich") if os.path.exists(test_ranks.shared_object(mpi))]
    memory = set(glob.glob("/dev/shm/*"))
    kills = runs = inside = 0
    with tempfile.TemporaryDirectory() as folder:
        data, whole = os.path.join(folder, "text.txt"), os.path.join(folder, "whole")
        with open(data, "wb") as file:
            file.write(b"the quick brown fox jumps over the lazy dog; " * 60)
        harness.hcc(*test_ranks.command(whole, "adamw", "--data", data, *SAVES, steps=STEPS))
        while kills < options.count:
            out, process = os.path.join(folder, f"run-{runs}"), None
            words = test_ranks.command(out, "adamw", "--data", data, *SAVES, steps=STEPS)
            while process is None or process.returncode != 0:
                process = start(draw.choice(launchers), draw.randint(2, 5), words)
                killed, saving = kill_one(draw, process, out, kills % 5 == 4) if kills < options.count else (False, False)
                kills += killed
                inside += saving
                if not killed:
                    process.wait(timeout=300)
                words = ["train", "--resume", out, "--threads", "1", "--quiet"]
            runs += 1
            same = log_of(out) == log_of(whole) and temporaries(out) == [] and \
                bytes_of(out, "ckpt", "final.safetensors") == bytes_of(whole, "ckpt", "final.safetensors")
            print(f"{kills} kills, {runs} runs: {'the same bits' if same else 'DIFFERENT'}", flush=True)
            if not same:
                sys.exit(1)
    left = set(glob.glob("/dev/shm/*")) - memory
    starting = {path for path in left if os.path.basename(path).startswith("mpich_shar_tmp")}
    left -= starting
    print(f"{kills} kills ({inside} inside a save) in {runs} runs, all the same bits; {len(left)} files of shared memory left"
          f", and {len(starting)} of MPICH's start")
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
