"""The rows of targets.py about products and the precision that they take."""

from __future__ import annotations

import argparse
import tempfile

import cases
import products as bench_products
from measure import BenchError, machine, summary
from turns import GPT, NARROW, WIDE, bench, in_turns, of_connection, over


def need_python(o):
    if not o.python:
        raise BenchError("needs --python, one that has PyTorch")


def spread_of(ratio):
    return f"rounds {ratio['min']:.3f} … {ratio['max']:.3f}"


def step_of(run):
    return run["step_ms"]


def alone(o, table):
    options = argparse.Namespace(program=o.program, python=o.python, precision=["f32", "bf16"],
                                 steps=list(bench_products.STEPS), threads=[2],
                                 cores=bench_products.CORES, cpu="native", rounds=o.rounds)
    for (step, precision, _, rival), ratio in bench_products.together(
            bench_products.run(options)).items():
        if precision == "f32" and rival == bench_products.BEST:
            table.add(f"f32 products, {step}: {rival} over ours", ratio["median"], 0.95, 1.05,
                      above=True, note=spread_of(ratio))
        elif precision == "bf16" and rival == "PyTorch":
            table.add(f"bf16 products, {step}: PyTorch (oneDNN) over ours", ratio["median"], 0.90,
                      1.05, above=True, note=spread_of(ratio))
    need_python(o)  # for what there is no line of now


def precision(o, table):
    def runs(size, precisions):
        return {(p, w): lambda p=p, w=w: bench(o, GPT, {"wiring": w, **size}, "--precision", p)
                for p in precisions for w in ("residual", "mhc")}

    wide = in_turns(o, runs(WIDE, ("f32", "bf16")))
    for wiring in ("residual", "mhc"):
        ratio = over(wide, ("bf16", wiring), ("f32", wiring), step_of)
        table.add(f"step, 4 × 768, {wiring}: bf16 over f32", ratio["median"], 0.62, 0.55,
                  note=spread_of(ratio))
    narrow = in_turns(o, runs(NARROW, ("bf16",)))
    for name, found, accept, target in (("4 × 768", wide, 1.08, 1.045),
                                        ("12 × 256", narrow, 1.18, 1.10)):
        ratio = over(found, ("bf16", "mhc"), ("bf16", "residual"), step_of)
        table.add(f"step, {name}, bf16: mhc over residual", ratio["median"], accept, target,
                  note=spread_of(ratio))


def peers(o, table):
    """Every contestant as bench/run.py has it."""
    need_python(o)
    with tempfile.TemporaryDirectory() as cache:
        def contestant(side, wiring, precision):
            options = argparse.Namespace(
                hcc=o.hcc, python=o.python, threads=2, steps=o.steps, quick=True, set=[],
                timeout=o.timeout, cache=cache, file=GPT, norm="rmsnorm", precision=precision)
            return lambda: cases.run(options, cases.gpt(4, 4, 768, 12, 512, 4, []),
                                     cases.Row(wiring), side)

        what = [("mhc", "f32"), ("mhc", "bf16"), ("residual", "bf16")]
        found = in_turns(o, {(side, *w): contestant(side, *w)
                             for w in what for side in ("hcc", "eager", "compiled")})

    def told(text, ratios, accept, target):
        ratio = summary(ratios)
        table.add(f"step, 4 × 768, {text} over ours", ratio["median"], accept, target, above=True,
                  note=spread_of(ratio))

    def ratios(side, wiring, precision):
        mine = found["hcc", wiring, precision]
        return [step_of(a) / step_of(b) for a, b in zip(found[side, wiring, precision], mine)]

    for precision_, side, accept, target in (
            ("bf16", "compiled", 1.5, 1.9), ("bf16", "eager", 2.4, 3.0), ("f32", "eager", 3.0, 4.0),
            ("f32", "compiled", 2.2, 2.6)):
        told(f"{precision_}, mhc: PyTorch {side}", ratios(side, "mhc", precision_), accept, target)
    best = map(min, ratios("eager", "residual", "bf16"), ratios("compiled", "residual", "bf16"))
    told("bf16, residual: the best of PyTorch eager and compiled", list(best), 1.1, 1.3)


def choice(o, table):
    """Where OPENBLAS_CORETYPE is set from outside, as some containers have it."""
    lesser = {"OPENBLAS_CORETYPE": "Haswell"}
    size = {"wiring": "mhc", **WIDE}
    found = in_turns(o, {"own": lambda: bench(o, GPT, size),
                         "lesser": lambda: bench(o, GPT, size, environment=lesser)})
    ratio = over(found, "lesser", "own", step_of)
    table.add("step, 4 × 768, f32, mhc: with OPENBLAS_CORETYPE=Haswell over without",
              ratio["median"], 1.05, 1.0, note=spread_of(ratio))


def avx2(o, table):
    if "avx512f" not in machine()["vectors"]:
        raise BenchError("needs a processor with AVX-512")
    size = {**WIDE, "blocks": 3, "d": 512, "heads": 8}
    for wiring in ("shc", "dhc", "mhc"):
        found = in_turns(o, {cpu: lambda cpu=cpu: bench(o, GPT, {"wiring": wiring, **size}, "--cpu", cpu)
                             for cpu in ("native", "x86-64-v3")})

        def fastest(cpu):
            runs = [{c["name"]: c["ms"] for c in of_connection(run, wiring, "backward")}
                    for run in found[cpu]]
            return sum(min(run[name] for run in runs) for name in runs[0])

        table.add(f"{wiring}, 3 × 512, backward kernels: AVX2 over AVX-512",
                  fastest("x86-64-v3") / fastest("native"), 1.3, 1.15)
