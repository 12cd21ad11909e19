#!/usr/bin/env python3
"""Attention alone, causal: hcc's kernels against PyTorch's scaled_dot_product_attention.

    python bench/peers/attention.py --hcc build/hcc --threads 1 --contexts 512,1024 --precision bf16

The sides take turns; each figure is the fastest of all rounds. hcc's times are those of the calls
`attend` and `attend_grad` in `hcc bench --profile` of a GPT with one block. In bf16 PyTorch is given
tensors of it, as under autocast; hcc's kernels take and give f32, and round what products take."""

import argparse
import json
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from timing import PRECISIONS  # noqa: E402

SAMPLES, HEADS, SIZE = 4, 12, 64  # as examples/gpt.hc has them


def torch_times(context, repeats, precision):
    import torch
    import torch.nn.functional as F
    torch.manual_seed(0)
    shape = (SAMPLES, context, HEADS, SIZE)  # as projections leave them
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    q, k, v, g = (torch.randn(shape).to(dtype).transpose(1, 2) for _ in range(4))
    q.requires_grad_(), k.requires_grad_(), v.requires_grad_()
    forward, backward = [], []
    for _ in range(repeats):
        t0 = time.perf_counter()
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        t1 = time.perf_counter()
        torch.autograd.grad(out, (q, k, v), g)
        t2 = time.perf_counter()
        forward.append(t1 - t0)
        backward.append(t2 - t1)
    return 1e3 * min(forward), 1e3 * min(backward)


def run_torch(context, threads, repeats, precision):
    code = subprocess.run(
        [sys.executable, os.path.abspath(__file__), "--torch", str(context), "--threads",
         str(threads), "--repeats", str(repeats), "--precision", precision],
        check=True, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    return tuple(json.loads(code.stdout))


def run_hcc(hcc, context, threads, repeats, precision):
    sizes = {"context": context, "blocks": 1, "d": HEADS * SIZE, "heads": HEADS, "vocab": 256}
    settings = [word for key, value in sizes.items() for word in ("--set", f"{key}={value}")]
    found = subprocess.run(
        [hcc, "bench", os.path.join(ROOT, "examples", "gpt.hc"), *settings, "--threads",
         str(threads), "--steps", str(repeats), "--precision", precision, "--profile", "--json"],
        check=True, capture_output=True, text=True)
    calls = {call["name"]: call["ms"] for call in json.loads(found.stdout)["calls"]}
    return calls["attend"], calls["attend_grad"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hcc", default=os.path.join(ROOT, "build", "hcc"))
    parser.add_argument("--contexts", default="512,1024")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", choices=PRECISIONS, default="f32")
    parser.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.torch:
        import torch
        torch.set_num_threads(o.threads)
        print(json.dumps(torch_times(o.torch, o.repeats, o.precision)))
        return
    for context in map(int, o.contexts.split(",")):
        ours, theirs = [], []
        for _ in range(o.rounds):
            ours.append(run_hcc(o.hcc, context, o.threads, o.repeats, o.precision))
            theirs.append(run_torch(context, o.threads, o.repeats, o.precision))
        a = [min(times) for times in zip(*ours)]
        b = [min(times) for times in zip(*theirs)]
        print(f"{SAMPLES} x {HEADS} heads x {context} x {SIZE}, {o.precision}, {o.threads} threads: "
              f"forward {a[0]:.2f} ms, PyTorch {b[0]:.2f} ({b[0] / a[0]:.2f}); "
              f"backward {a[1]:.2f} ms, PyTorch {b[1]:.2f} ({b[1] / a[1]:.2f})", flush=True)


if __name__ == "__main__":
    main()
