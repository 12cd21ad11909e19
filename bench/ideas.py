#!/usr/bin/env python3
"""Every file of examples/ideas, and what is known of it: docs/ideas.md.

    python bench/ideas.py --hcc build/hcc --data tinyshakespeare.txt [--markdown docs/ideas.md]

check and gradcheck must pass and 100 steps of training must end with a smaller loss. Kernels are those
of connections and element-wise work that a step calls, by site, products and attention not counted;
bytes are what a step reads and writes at a position. Both stand beside those of the same layers with the
plain residual, `--set`'s sizes taken away. Exit code 1 when a row is not green.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IDEAS = os.path.join(ROOT, "examples", "ideas")
PAGE = """# Ideas, a file each

What can be said beyond the library, each as a model of its own that trains on any text:
`hcc train examples/ideas/heun.hc --data FILE`. All pass `hcc gradcheck` (finite differences in f64), and each
equals the same network in PyTorch, losses and gradients in f64 to 1e-9 (`tests/diff/ideas.py`). Written by
`bench/ideas.py`. *Kernels* is how many a step calls at a site, forward and backward, products and attention not
counted; *bytes* is what a step reads and writes at one position, over the plain residual's with equal branches. The
loss is of training, after one step and after 100 of 16 windows of 32 bytes of tiny Shakespeare, with a rate that nobody chose for
any of them: it says that they learn, not which is better.

| idea | | kernels a site | bytes | first loss | after 100 steps |
|---|---|---|---|---|---|
"""


def run(options, *words):
    result = subprocess.run([options.hcc, *words], capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {result.returncode}\n{result.stderr}")
    return result.stdout


def plain(text):
    """The same model with every connection the plain residual, and the library's branches."""
    found = re.match(r"(.*repeat blocks \{ )(.*?)( \} \};.*)", text, re.S)
    if not found or "h.state" in text:
        return None
    head, sites, rest = found.groups()
    sites = re.sub(r"(\w+) = \w+(\([^)]*\))? : ([^&;]+) & ([^;]+);", r"\1 = residual : \3; \1_2 = residual : \4;", sites)
    return head + re.sub(r"= \w+(\(.*?\))? : ", "= residual : ", sites) + rest


def cost(options, file, folder):
    """Kernel calls of a step at a site, and bytes at a position."""
    library = os.path.join(folder, "idea.so")
    run(options, "build", file, "-o", library)
    with open(library[:-3] + ".manifest.json", encoding="utf-8") as manifest:
        found = json.load(manifest)
    plan = found["plan"]
    kernels = sum(call["kind"] == "kernel" for call in plan["forward"] + plan["backward"])
    return kernels / len(found["sites"]), json.loads(run(options, "info", file, "--json"))["bytes_moved_per_position"]


def losses(options, file, folder):
    out = os.path.join(folder, "run")
    run(options, "train", file, "--data", options.data, "--out", out, "--force", "--quiet", "--set", "train.steps=100")
    with open(os.path.join(out, "log.jsonl"), encoding="utf-8") as log:
        found = [one["loss"] for one in map(json.loads, log) if "loss" in one and "step" in one]
    return found[0], sum(found[-10:]) / len(found[-10:])


def about(text):
    """The first sentence of the first definition's documentation."""
    lines = re.search(r"((?:^/// .*\n)+)", text, re.M).group(1)
    words = " ".join(line[4:] for line in lines.splitlines())
    return re.split(r"(?<=[.:])\s", words)[0].rstrip(".:")


def row(options, name):
    file = os.path.join(IDEAS, name + ".hc")
    with open(file, encoding="utf-8") as text:
        source = text.read()
    run(options, "check", file)
    run(options, "gradcheck", file)
    with tempfile.TemporaryDirectory() as folder:
        kernels, moved = cost(options, file, folder)
        beside, compared = os.path.join(folder, "plain.hc"), ("", "–")
        if plain(source):
            with open(beside, "w", encoding="utf-8") as text:
                text.write(plain(source))
            kernels_plain, moved_plain = cost(options, beside, folder)
            compared = (f" (residual {kernels_plain:.1f})", f"{moved / moved_plain:.2f}")
        first, last = losses(options, file, folder)
    if not last < first:
        raise SystemExit(f"{name}: the loss went from {first} to {last}")
    return (f"| [{name}](../examples/ideas/{name}.hc) | {about(source)} | {kernels:.1f}{compared[0]} | "
            f"{compared[1]} | {first:.3f} | {last:.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hcc", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--markdown")
    options = parser.parse_args()
    rows = []
    for name in sorted(one[:-3] for one in os.listdir(IDEAS) if one.endswith(".hc")):
        rows.append(row(options, name))
        print(rows[-1], flush=True)
    if options.markdown:
        with open(options.markdown, "w", encoding="utf-8") as page:
            page.write(PAGE + "\n".join(rows) + "\n")


if __name__ == "__main__":
    sys.exit(main())
