"""What the peers' scripts share: threads set before torch is imported, and timed passes."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time

PRECISIONS = ("f32", "bf16")
WIRINGS = ("residual", "shc", "dhc", "mhc", "frac")  # of torch_wirings.py


def add_gpt(parser, wirings):
    """What every script that times a step of a GPT is told."""
    parser.add_argument("--wiring", choices=wirings, default="residual")
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=256)
    parser.add_argument("--n", type=int, default=4, help="streams, or fractions")
    parser.add_argument("--norm", choices=("layernorm", "rmsnorm"), default="rmsnorm")
    parser.add_argument("--precision", choices=PRECISIONS, default="f32",
                        help="what products take")
    parser.add_argument("--clip", type=float, default=1.0, help="0: no clipping")
    parser.add_argument("--seed", type=int, default=1)


def add_compile(parser):
    parser.add_argument("--compile", action="store_true", help="torch.compile the model")


def add_options(parser):
    """What every script is told."""
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)


def prepare(threads):
    """Before torch is imported, so that no pool of another size ever exists."""
    if "torch" in sys.modules:
        raise RuntimeError("too late: torch has been imported")
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["MKL_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)
    return torch


def passes(forward, backward, clear, warmup, steps):
    """Times of forward(), which gives what backward() takes; medians and fastest, milliseconds."""
    times, first = {"forward_ms": [], "backward_ms": []}, time.perf_counter()
    for i in range(warmup + steps):
        clear()
        t0 = time.perf_counter()
        result = forward()
        t1 = time.perf_counter()
        backward(result)
        t2 = time.perf_counter()
        del result
        if i == 0:
            first = t2 - first
        if i >= warmup:
            times["forward_ms"].append(1e3 * (t1 - t0))
            times["backward_ms"].append(1e3 * (t2 - t1))
    both = [sum(pair) for pair in zip(*times.values(), strict=True)]
    found = {name: statistics.median(v) for name, v in times.items()}
    found["step_ms"] = statistics.median(both)
    found |= {f"{name}_fastest": min(v) for name, v in times.items()}
    found["step_ms_fastest"] = min(both)
    found["first_step_s"] = first  # with --compile: the compilation
    found["peak_bytes"] = peak_bytes()
    return found


def peak_bytes():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peer(torch, compiled):
    return f"PyTorch {torch.__version__} {'compiled' if compiled else 'eager'}"
