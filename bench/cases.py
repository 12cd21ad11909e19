"""The cases: what is compared with what, and how each contestant is run.

A group is one size of one case; its contestants take turns. A contestant is a side (hcc, eager,
compiled, jax) of a row (a wiring, or whatever the case varies); what it measured is a dict with
forward_ms and backward_ms, step_ms, and what else its case reports.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field

from measure import BenchError, run_json, run_text

HERE = os.path.dirname(os.path.abspath(__file__))
SIDES = ("hcc", "eager", "compiled", "jax")
STEPS = (4, 5, 6)  # cases of whole training steps
RANK = 48  # of the branch in bench/connection.hc, by which its products are told from others

TITLES = {
    1: "One connection",
    2: "Ten connections in a row, trivial branches",
    3: "Sinkhorn's scaling alone, 4 × 4, 20 iterations",
    4: "A training step of a GPT",
    5: "Deep and narrow, at equal parameters",
    6: "More streams, more fractions",
}


@dataclass(frozen=True)
class Row:
    """A wiring of n streams (or fractions)."""

    wiring: str
    n: int = 4
    told: bool = False  # n stands in the label

    @property
    def label(self):
        names = {"shc": "static", "dhc": "dynamic", "mhc": "mHC"}
        name = names.get(self.wiring, self.wiring)
        if self.wiring == "frac":
            return f"{name} m = {self.n}"
        return f"{name} n = {self.n}" if self.told else name

    @property
    def settings(self):
        """For hcc."""
        if self.wiring == "frac":
            return [("wiring", f"frac(m={self.n})")]
        return [("wiring", self.wiring)] + ([] if self.wiring == "residual" else [("n", self.n)])


@dataclass
class Group:
    case: int
    name: str
    rows: list
    size: dict = field(default_factory=dict)
    sides: tuple = SIDES

    def has(self, row, side):
        """Whether the side has such a row: JAX has steps, of what jax_gpt_step.py knows."""
        return side != "jax" or (self.case in STEPS and row.wiring in ("residual", "mhc"))

    @property
    def key(self):
        return f"{self.case}: {self.name}"


def gpt(case, blocks, d, heads, context, batch, rows):
    size = {"blocks": blocks, "d": d, "heads": heads, "context": context, "batch": batch}
    name = f"{blocks} × {d}, context {context}, batch {batch}"
    return Group(case, name, rows, size)


def all_groups(quick):
    """All groups of cases 1 to 6, or a small selection of each."""
    static, dynamic, mhc, residual = Row("shc"), Row("dhc"), Row("mhc"), Row("residual")
    found = []
    sizes = [(320, 1280), (512, 1920), (1280, 2560), (2560, 1280)]
    for positions, d in sizes[: 1 if quick else None]:
        size = {"positions": positions, "d": d}
        found.append(Group(1, f"{positions} × {d}, n = 4", [static, dynamic, mhc], size))
    for n in (8, 32):
        if n == 8 or not quick:
            # mHC's maps of 32 streams alone would be 45 million parameters a connection
            rows = [Row(w, n) for w in ("shc", "dhc", "mhc")[: 3 if n == 8 else 2]]
            found.append(Group(1, f"320 × 1280, n = {n}", rows, {"positions": 320, "d": 1280}))
    positions, d = (2048, 256) if quick else (8192, 512)
    size = {"positions": positions, "d": d}
    found.append(Group(2, f"{positions} × {d}, n = 4", [static, dynamic, mhc], size))
    for count in (8192,) if quick else (512, 2048, 8192, 32768, 131072):
        shown = f"{count // 1024} K" if count >= 1024 else f"{count / 1024:.1f} K"
        found.append(Group(3, f"{shown} matrices", [Row("sinkhorn")], {"matrices": count}))
    wirings = [residual, static, dynamic, Row("frac"), mhc]
    if quick:
        found.append(gpt(4, 2, 128, 4, 64, 8, wirings))
        found.append(gpt(5, 2, 136, 4, 64, 4, [residual, dynamic, mhc]))
        found.append(gpt(5, 16, 48, 2, 64, 4, [residual, dynamic, mhc]))
        sweep = [Row("shc", 2, True), Row("dhc", 2, True), Row("frac", 2)]
        found.append(gpt(6, 2, 128, 4, 64, 8, [residual, *sweep]))
        return found
    found.append(gpt(4, 6, 512, 8, 256, 8, wirings))
    found.append(gpt(4, 4, 768, 12, 512, 4, wirings))
    found.append(gpt(4, 12, 768, 12, 1024, 1, wirings))
    found.append(gpt(5, 6, 544, 17, 256, 4, [residual, static, dynamic, mhc]))
    found.append(gpt(5, 48, 192, 6, 256, 4, [residual, static, dynamic, mhc]))
    sweep = [Row(w, n, True) for w in ("shc", "dhc") for n in (1, 2, 4, 8)]
    found.append(gpt(6, 12, 256, 4, 256, 4, [residual, *sweep, Row("frac", 2), Row("frac", 4)]))
    return found


# --- hcc's side -----------------------------------------------------------------------------------


def file(name):
    return os.path.join(HERE, name)


def hcc_words(options, action, path, settings, *more):
    words = [options.hcc, action, path, *more]
    for name, value in [*settings, *options.set]:
        words += ["--set", f"{name}={value}"]
    return words


def hcc_bench(options, path, settings, *more):
    words = hcc_words(options, "bench", path, settings, "--json", "--threads", options.threads,
                      "--steps", options.steps, *more)
    return run_json(words, options.timeout)


PRODUCT = re.compile(r"  gemm .*?(N\*)?(\d+) x (\d+) x (N\*)?(\d+) ")


def plan_connections(text, positions):
    """From `hcc emit --stage fused` of bench/connection.hc, for each pass the connections in the
    order of the run: lists of calls, as profiles name them. Products of the branches are left out,
    and separate one connection from the next."""
    found, at = {"forward": [[]], "backward": [[]]}, "forward"
    for line in text.splitlines():
        if line.strip() == "-- backward":
            at = "backward"
        elif product := PRODUCT.match(line):
            m, n, k = int(product[2]), int(product[3]), int(product[5])
            if RANK not in (m, n, k):
                m, k = (x * positions if per else x for x, per in ((m, product[1]), (k, product[4])))
                found[at][-1].append(f"gemm {m}x{n}x{k}")
            elif k == RANK and product[1]:  # the branch's result, or its input's gradient
                found[at].append([])
        elif call := re.match(r"  (kernel|reduce|zero|scatter_add|sum_instances) (\S+) ", line):
            found[at][-1].append(call[2] if call[1] == "kernel" else call[1])
    return found


INNER = slice(3, 6)  # of nine stretches, those that neither begin nor end the trunk


def hcc_single(options, group, row):
    """One connection among others: those in the middle of a trunk of eight."""
    path, positions = file("connection.hc"), group.size["positions"]
    settings = [("positions_each", positions), ("d", group.size["d"]), *row.settings]
    words = hcc_words(options, "emit", path, settings, "--model", "single", "--stage", "fused")
    plan = plan_connections(run_text(words, options.timeout), positions)
    calls = hcc_bench(options, path, settings, "--model", "single", "--profile")["calls"]
    each = {(call["pass"], call["name"]): call for call in calls}
    result = {}
    for name, connections in plan.items():
        inner = connections[INNER]
        unknown = {call for called in inner for call in called if (name, call) not in each}
        if len(connections) != 9 or unknown:
            raise BenchError(f"plan and profile do not agree: {len(connections)} connections, no "
                             f"times of {', '.join(sorted(unknown))}")
        for what in ("ms", "bytes"):
            result[f"{name}_{what}"] = sum(
                each[name, call][what] / each[name, call]["calls"]
                for called in inner for call in called) / len(inner)
        result[f"{name}_bytes"] /= positions
    result["step_ms"] = result["forward_ms"] + result["backward_ms"]
    return result


def hcc_chain(options, group, row):
    settings = [("positions_each", group.size["positions"]), ("d", group.size["d"]), *row.settings]
    found = hcc_bench(options, file("connection.hc"), settings, "--model", "chain", "--profile")
    return fastest(found)


def hcc_sinkhorn(options, group, row):
    settings = [("count", group.size["matrices"])]
    return fastest(hcc_bench(options, file("sinkhorn.hc"), settings, "--profile"))


def fastest(found):
    """Each pass as its calls take when nothing disturbs them."""
    result = {"forward_ms": 0.0, "backward_ms": 0.0}
    for call in found["calls"]:
        result[call["pass"] + "_ms"] += call["ms"]
    return {**result, "step_ms": sum(result.values()), "peak_bytes": found["peak_bytes"]}


def hcc_gpt(options, group, row):
    size = group.size
    settings = [("vocab", 256), ("train.batch", size["batch"]),
                *((name, size[name]) for name in ("d", "heads", "blocks", "context")),
                *row.settings]
    return hcc_bench(options, options.file, settings, "--precision", options.precision)


# --- the peers' -----------------------------------------------------------------------------------


def peer_run(options, python, script, arguments, *more):
    words = [python, os.path.join(HERE, "peers", script), "--threads", options.threads,
             "--steps", options.steps, "--warmup", 2 if options.quick else 3, *more]
    for name, value in arguments.items():
        words += [f"--{name}", value]
    return run_json(words, options.timeout, {
        "TORCHINDUCTOR_CACHE_DIR": options.cache,
        "JAX_COMPILATION_CACHE_DIR": os.path.join(options.cache, "jax")})


def torch_run(options, script, arguments, compiled):
    return peer_run(options, options.python, script, arguments, *["--compile"] * compiled)


def torch_passes(options, group, row, compiled):
    if group.case == 3:
        arguments, script = dict(group.size), "torch_sinkhorn.py"
    else:
        arguments = {**group.size, "wiring": row.wiring, "n": row.n,
                     "sites": 0 if group.case == 1 else 10}
        script = "torch_connection.py"
    found = torch_run(options, script, arguments, compiled)
    for name in ("forward_ms", "backward_ms", "step_ms"):
        found[name] = found[name + "_fastest"]  # as hcc's side
    return found


def gpt_arguments(options, group, row):
    return {**group.size, "vocab": 256, "wiring": row.wiring, "n": row.n, "norm": options.norm,
            "precision": options.precision}


def torch_gpt(options, group, row, compiled):
    return torch_run(options, "torch_gpt_step.py", gpt_arguments(options, group, row), compiled)


def run(options, group, row, side):
    if side == "jax":
        arguments = gpt_arguments(options, group, row)
        return peer_run(options, options.jax_python, "jax_gpt_step.py", arguments)
    if side == "hcc":
        runs = {1: hcc_single, 2: hcc_chain, 3: hcc_sinkhorn}
        return runs.get(group.case, hcc_gpt)(options, group, row)
    passes = torch_passes if group.case <= 3 else torch_gpt
    return passes(options, group, row, side == "compiled")


# --- accuracy of case 3 ---------------------------------------------------------------------------


def sinkhorn_errors(options, matrices=4096):
    """How far sums are from one, on both sides, of the same logits."""
    found = {"matrices": matrices}
    script = [os.path.join(HERE, "peers", "sinkhorn_errors.py"), "--matrices", matrices]
    try:
        if "hcc" in options.sides:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "sinkhorn.so")
                words = hcc_words(options, "build", file("sinkhorn.hc"), [("count", matrices)],
                                  "-o", path)
                run_text(words, options.timeout)
                found["hcc"] = run_json([sys.executable, *script, "--library", path],
                                        options.timeout)
        if set(options.sides) - {"hcc"}:
            found["PyTorch"] = run_json([options.python, *script], options.timeout)
    except BenchError as error:
        return {"failed": str(error)}
    return found
