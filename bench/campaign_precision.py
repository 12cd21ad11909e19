#!/usr/bin/env python3
"""What bf16 does to a loss: examples/shakespeare.hc in several wirings, seeds and precisions.

    python bench/campaign_precision.py --hcc build/hcc --data tinyshakespeare.txt --out CAMPAIGN

Runs of one thread each, --jobs at a time. CAMPAIGN/table.md says the held-out loss in f32, the mean
over seeds, and what each other precision adds to it: mean, and each seed. A second call with the
same options goes on where the first ended. Exit code 2 when a run failed.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIRINGS = ["residual", "mhc", "dhc", "shc", "frac"]
PRECISIONS = ["f32", "bf16", "bf16_streams"]


def loss_of(options, *run):
    """None where there is no such run yet."""
    try:
        with open(os.path.join(options.out, "-".join(run), "summary.json"), encoding="utf-8") as file:
            return json.load(file)["val_loss"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def train(options, wiring, precision, seed):
    out = os.path.join(options.out, f"{wiring}-{precision}-{seed}")
    if loss_of(options, wiring, precision, seed) is not None:
        return True
    settings = [f"wiring={wiring}", f"train.steps={options.steps}", *options.set]
    words = [options.hcc, "train", options.file, "--data", options.data, "--precision", precision,
             "--seed", seed, "--threads", "1", "--quiet", "--force", "--out", out]
    words += [word for setting in settings for word in ("--set", setting)]
    with open(out + ".txt", "w", encoding="utf-8") as log:
        code = subprocess.run(words, stdout=log, stderr=log, check=False).returncode
    if code:
        print(f"failed ({code}): {wiring}, {precision}, seed {seed}: see {out}.txt", flush=True)
    report(options)
    return code == 0


def report(options):
    others = options.precisions[1:]
    first = options.precisions[0]
    lines = [f"| wiring | {first} | " + " | ".join(f"{p} − {first}" for p in others) + " |",
             "|---|---|" + "---|" * len(others)]
    for wiring in options.wirings:
        losses = {p: [loss_of(options, wiring, p, s) for s in options.seeds] for p in options.precisions}
        row = []
        for p in others:
            gaps = [x - y for x, y in zip(losses[p], losses[first]) if x is not None and y is not None]
            row.append(f"{statistics.mean(gaps):+.4f} ({', '.join(f'{g:+.4f}' for g in gaps)})" if gaps else "")
        known = [x for x in losses[first] if x is not None]
        mean = f"{statistics.mean(known):.4f}" if known else ""
        lines.append(f"| {wiring} | {mean} | " + " | ".join(row) + " |")
    path = os.path.join(options.out, "table.md")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--file", default=os.path.join(ROOT, "examples", "shakespeare.hc"))
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--wirings", type=names, default=WIRINGS)
    parser.add_argument("--precisions", type=names, default=PRECISIONS, help="the first is compared with")
    parser.add_argument("--seeds", type=names, default=["1", "2", "3"])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    runs = [(w, p, s) for p in options.precisions for s in options.seeds for w in options.wirings]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        good = list(pool.map(lambda run: train(options, *run), runs))
    report(options)
    sys.exit(0 if all(good) else 2)


if __name__ == "__main__":
    main()
