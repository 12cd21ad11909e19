"""hcc against PyTorch on the same training step, run alternately; ratios inside one run.

    python bench/peers/compare.py --hcc build/hcc --rounds 5 --out result.json

A round runs every contestant once, each in a process of its own, nothing else at the same time;
the order turns from round to round.  A ratio is formed inside each round (PyTorch's time over
hcc's, greater than 1: hcc is faster) and the median over rounds is reported with its range, so a
machine that is slow for a while slows both sides of a ratio.

The hcc side is `hcc bench` on examples/shakespeare.hc; the PyTorch side is torch_gpt_step.py with
its plain residual or the hyper-connections package.  `shc` and `frac` have no peer there and are
compared with hcc's own residual only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from hcc_step import BenchError, add_gpt_arguments, run_hcc, run_json  # noqa: E402

PEERED = ("residual", "dhc", "mhc")
# Issue targets: PyTorch's step over hcc's, (eager).
REQUIRED = {"residual": 1.0, "dhc": 1.5, "mhc": 1.5}
COLUMNS = ("step_ms", "forward_ms", "backward_ms", "optimizer_ms", "positions_per_s", "peak_bytes")


def torch_command(args, wiring, compiled):
    command = [args.python, str(HERE / "torch_gpt_step.py"), "--wiring", wiring]
    for name in ("d", "blocks", "heads", "context", "batch", "vocab", "n", "steps", "threads"):
        command += [f"--{name}", str(getattr(args, name))]
    command += ["--norm", args.norm]
    return command + (["--compile"] if compiled else [])


def contestants(args):
    """(side, wiring) in the order of the first round; sides: hcc, eager, compiled."""
    found = []
    for wiring in args.wirings:
        if not args.peers_only:
            found.append(("hcc", wiring))
        if wiring in PEERED:
            found.append(("eager", wiring))
            if args.compile:
                found.append(("compiled", wiring))
    return found


def run_one(args, side, wiring):
    if side == "hcc":
        return run_hcc(args, wiring)
    return run_json(torch_command(args, wiring, side == "compiled"), args.timeout)


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratio(rounds, over, under, field="step_ms"):
    """Of two contestants' times, formed inside each round."""
    return summary([r[over][field] / r[under][field] for r in rounds])


def analyse(rounds, order):
    """Medians of each contestant and the ratios worth naming."""
    medians = {
        c: {f: statistics.median(r[c][f] for r in rounds) for f in COLUMNS} for c in order
    }
    ratios = []
    for side in ("eager", "compiled"):
        for _, wiring in [c for c in order if c[0] == "hcc"]:
            if (side, wiring) in order:
                entry = {"name": f"PyTorch {side} / hcc, {wiring}"}
                entry |= ratio(rounds, (side, wiring), ("hcc", wiring))
                for part in ("forward_ms", "backward_ms", "optimizer_ms"):
                    entry[part] = ratio(rounds, (side, wiring), ("hcc", wiring), part)["median"]
                if side == "eager":
                    entry["required"] = REQUIRED[wiring]
                ratios.append(entry)
    for side in ("hcc", "eager", "compiled"):
        for s, wiring in order:
            if s == side and wiring != "residual" and (side, "residual") in order:
                entry = {"name": f"{side}: {wiring} / residual"}
                ratios.append(entry | ratio(rounds, (side, wiring), (side, "residual")))
    return medians, ratios


def print_table(medians, ratios):
    print(f"\n{'':22}{'step':>9}{'forward':>9}{'backward':>9}{'optim.':>9}{'pos/s':>9}{'peak MB':>9}")
    for (side, wiring), m in medians.items():
        print(
            f"{side + ' ' + wiring:22}{m['step_ms']:9.1f}{m['forward_ms']:9.1f}"
            f"{m['backward_ms']:9.1f}{m['optimizer_ms']:9.1f}{m['positions_per_s']:9.0f}"
            f"{m['peak_bytes'] / 1e6:9.0f}"
        )
    print("\nratio (median over rounds, range)")
    for r in ratios:
        need = f"   wanted {r['required']}" if "required" in r else ""
        print(f"{r['name']:36}{r['median']:8.3f}   {r['min']:.3f} .. {r['max']:.3f}{need}")


def machine():
    model = ""
    try:
        with open("/proc/cpuinfo") as f:
            model = next((x.split(":", 1)[1].strip() for x in f if x.startswith("model name")), "")
    except OSError:
        pass
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_gpt_arguments(parser)
    parser.add_argument("--wirings", type=lambda s: s.split(","), default=list(PEERED))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="also torch.compile")
    parser.add_argument("--norm", choices=("rmsnorm", "layernorm"), default="rmsnorm")
    parser.add_argument("--peers-only", action="store_true", help="without hcc")
    parser.add_argument("--python", default=sys.executable, help="the one that has PyTorch")
    parser.add_argument("--out", help="write all runs, medians and ratios (JSON)")
    parser.add_argument("--check", action="store_true", help="exit code 5 if a ratio is missed")
    args = parser.parse_args()
    order, rounds, where = contestants(args), [], machine()
    try:
        for i in range(args.rounds):
            turn = i % len(order)
            results = {}
            for side, wiring in order[turn:] + order[:turn]:
                results[side, wiring] = run_one(args, side, wiring)
                ms = results[side, wiring]["step_ms"]
                print(f"round {i + 1}/{args.rounds}  {side} {wiring}: {ms:.1f} ms", file=sys.stderr)
            rounds.append(results)
    except BenchError as e:
        sys.exit(f"error: {e}")
    medians, ratios = analyse(rounds, order)
    where["load_after"] = os.getloadavg()[0]
    print_table(medians, ratios)
    if args.out:
        named = lambda d: {" ".join(k): v for k, v in d.items()}  # noqa: E731
        with open(args.out, "w") as f:
            json.dump(
                {
                    "machine": where,
                    "config": {k: v for k, v in vars(args).items() if k not in ("python", "out")},
                    "medians": named(medians),
                    "ratios": ratios,
                    "rounds": [named(r) for r in rounds],
                },
                f,
                indent=1,
            )
            f.write("\n")
    missed = [r["name"] for r in ratios if r["median"] < r.get("required", 0)]
    if missed:
        print("missed: " + "; ".join(missed))
    return 5 if missed and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
