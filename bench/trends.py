#!/usr/bin/env python3
"""Small-scale trends: one GPT, one seed and data, one wiring after the other.

    python3 bench/trends.py --hcc build/hcc --data tinyshakespeare.txt --out TRENDS

Trains examples/gpt.hc (12 blocks x 256, context 256 unless --set says otherwise) for --steps steps
with each wiring and writes TRENDS/table.md: held-out loss, its difference to `residual`, and the
composite gain of the mixing maps: the largest absolute row sum of their product over all sites,
static parts only (Ar of HC, sinkhorn(br) of mHC). Runs that are there already are kept.
"""

import argparse
import json
import math
import os
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WIRINGS = ["residual", "postnorm", "shc", "dhc", "frac(m=2)", "mhc", "denseformer", "attnres", "mudd"]
SETTINGS = ["d=256", "heads=4", "blocks=12", "context=256", "train.batch=8", "train.lr=1e-3"]


def tensors(path):
    """{name: (shape, values)} of a safetensors file of f32 values."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        body = file.read()
    result = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            result[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", body[begin:end]))
    return result


def matrix(shape, values):
    return [list(values[k * shape[1]:(k + 1) * shape[1]]) for k in range(shape[0])]


def sinkhorn(logits, iterations=20):
    n = range(len(logits))
    top = [max(logits[i][j] for i in n) for j in n]
    m = [[math.exp(logits[k][j] - top[j]) for j in n] for k in n]
    for _ in range(iterations):
        columns = [sum(m[k][j] for k in n) for j in n]
        m = [[m[k][j] / columns[j] for j in n] for k in n]
        m = [[x / sum(line) for x in line] for line in m]
    return m


def product(a, b):
    return [[sum(a[i][k] * b[k][j] for k in range(len(b))) for j in range(len(b[0]))]
            for i in range(len(a))]


def gain(run):
    """None for wirings without square mixing maps of one size."""
    composite = None
    for name, (shape, values) in sorted(tensors(os.path.join(run, "ckpt", "final.safetensors")).items(),
                                        key=lambda item: site_of(item[0])):
        leaf = name.rsplit(".", 1)[-1]
        if leaf not in ("Ar", "br") or len(shape) != 2 or shape[0] != shape[1]:
            continue
        m = matrix(shape, values)
        m = sinkhorn(m) if leaf == "br" else m
        composite = product(m, composite) if composite else m
    return max(sum(abs(x) for x in line) for line in composite) if composite else None


def site_of(name):
    words = name.split(".")
    block = int(words[1]) if len(words) > 1 and words[1].isdigit() else -1
    return block, "mlp" in words


def train(options, wiring):
    run = os.path.join(options.out, "".join(c if c.isalnum() else "_" for c in wiring))
    summary = os.path.join(run, "summary.json")
    if not os.path.exists(summary):
        sets = [word for s in SETTINGS + options.set for word in ("--set", s)]
        command = [options.hcc, "train", os.path.join(ROOT, "examples", "gpt.hc"), "--data",
                   options.data, "--out", run, "--force", "--seed", str(options.seed), "--steps",
                   str(options.steps), "--set", f"wiring={wiring}", *sets]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            print(f"{wiring}: {answer.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
    with open(summary, encoding="utf-8") as file:
        return json.load(file), gain(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wirings", nargs="*", default=WIRINGS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    lines = ["| wiring | held-out loss | over residual | composite gain | positions/s |",
             "|---|---|---|---|---|"]
    plain, failed = None, False
    for wiring in options.wirings:
        result = train(options, wiring)
        if not result:
            failed = True
            lines.append(f"| {wiring} | failed | | | |")
        else:
            summary, composite = result
            loss = summary["val_loss"]
            plain = loss if wiring == "residual" else plain
            lines.append(f"| {wiring} | {loss:.4f} | "
                         f"{'' if plain is None else f'{loss - plain:+.4f}'} | "
                         f"{'' if composite is None else f'{composite:.3f}'} | "
                         f"{summary['positions_per_s']:.0f} |")
        print(lines[-1], flush=True)
        with open(os.path.join(options.out, "table.md"), "w", encoding="utf-8") as file:
            file.write(f"{options.steps} steps, {' '.join(SETTINGS + options.set)}, seed "
                       f"{options.seed}\n\n" + "\n".join(lines) + "\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
