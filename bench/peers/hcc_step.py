"""Run `hcc bench` on one configuration and return its JSON.

    python hcc_step.py --hcc build/hcc --file examples/shakespeare.hc --wiring mhc
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

FIELDS = (
    "step_ms",
    "forward_ms",
    "backward_ms",
    "optimizer_ms",
    "positions_per_s",
    "peak_bytes",
)


class BenchError(RuntimeError):
    """A run that failed, or whose output is not what the interface says."""


def run_json(command, timeout):
    """The JSON object that the command prints on standard output."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout
        )
    except OSError as e:
        raise BenchError(f"cannot run {command[0]}: {e.strerror}") from e
    except subprocess.TimeoutExpired as e:
        raise BenchError(f"longer than {timeout} s: {' '.join(command)}") from e
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise BenchError(f"exit code {done.returncode}: {' '.join(command)}\n{tail}")
    try:
        result = json.loads(done.stdout)
    except json.JSONDecodeError as e:
        raise BenchError(f"no JSON from {' '.join(command)}: {done.stdout[:200]!r}") from e
    missing = [f for f in FIELDS if f not in result]
    if missing:
        raise BenchError(f"{' '.join(command)} does not report {', '.join(missing)}")
    return result


def hcc_command(hcc, file, settings, steps, threads):
    """settings: constants and recipe values, by name."""
    command = [hcc, "bench", file, "--steps", str(steps), "--threads", str(threads), "--json"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    return command


def gpt_settings(args, wiring):
    """The GPT of torch_gpt_step.py in the constants of examples/shakespeare.hc."""
    return {
        "wiring": wiring,
        "vocab": args.vocab,
        "d": args.d,
        "heads": args.heads,
        "blocks": args.blocks,
        "context": args.context,
        "n": args.n,
        "train.batch": args.batch,
    }


def add_gpt_arguments(parser):
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--vocab", type=int, default=256)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=1800, help="seconds, one run")
    parser.add_argument("--hcc", default="build/hcc")
    parser.add_argument("--file", default="examples/shakespeare.hc")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="further hcc settings"
    )


def further_settings(args):
    pairs = [s.partition("=") for s in args.set]
    bad = [key for key, equals, _ in pairs if not equals]
    if bad:
        raise BenchError(f"--set wants KEY=VALUE, not {bad[0]!r}")
    return {key: value for key, _, value in pairs}


def run_hcc(args, wiring):
    settings = gpt_settings(args, wiring) | further_settings(args)
    return run_json(
        hcc_command(args.hcc, args.file, settings, args.steps, args.threads), args.timeout
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_gpt_arguments(parser)
    parser.add_argument("--wiring", default="residual")
    args = parser.parse_args()
    try:
        print(json.dumps(run_hcc(args, args.wiring)))
    except BenchError as e:
        sys.exit(f"error: {e}")


if __name__ == "__main__":
    main()
