"""Medians, ratios and tables of what bench/run.py measured."""

from __future__ import annotations

import statistics
from cases import TITLES
from measure import summary

# What is asked for, in the 4 × 768 network of case 4, in each precision: PyTorch's step over hcc's,
# and hcc's step over its own residual's.
OVER_HCC = {
    "f32": {("eager", "residual"): 1.0, ("compiled", "residual"): 1.0, ("eager", "dhc"): 2.5,
            ("eager", "mhc"): 3.0, ("compiled", "dhc"): 1.3, ("compiled", "mhc"): 2.2},
    "bf16": {("eager", "residual"): 1.1, ("compiled", "residual"): 1.1, ("eager", "mhc"): 2.4,
             ("compiled", "mhc"): 1.5}}
OVER_RESIDUAL = {"f32": {"mhc": 1.067, "dhc": 1.05, "shc": 1.04, "frac": 1.04},
                 "bf16": {"mhc": 1.08}}
ASKED_OF = {"blocks": 4, "d": 768, "context": 512, "batch": 4}


def ratio(rounds, over, under, name):
    """Of (label, side) and (label, side), formed inside each round that has both."""
    found = []
    for results in rounds:
        a, b = (results.get(label, {}).get(side) for label, side in (over, under))
        if a and b and name in a and b[name] > 0:
            found.append(a[name] / b[name])
    return summary(found) if found else None


def medians(rounds, label, side):
    runs = [results[label][side] for results in rounds if side in results.get(label, {})]
    if not runs:
        return None
    names = [n for n, v in runs[0].items() if isinstance(v, (int, float))]
    return {n: statistics.median(run[n] for run in runs) for n in names}


def analyse(result):
    """For each group: rows with each side's medians and the ratios worth naming."""
    bandwidth = max(result["bandwidth"]) if result["bandwidth"] else None
    precision, found = result["config"].get("precision", "f32"), []
    for entry in result["groups"]:
        rounds, size, rows = entry["rounds"], entry["size"], []
        plain = "residual" if any(r["wiring"] == "residual" for r in entry["rows"]) else None
        for row in entry["rows"]:
            label = row["label"]
            line = {**row, "sides": {s: medians(rounds, label, s) for s in entry["sides"]},
                    "ratios": {}, "over_residual": {}, "asked": {}}
            for side in entry["sides"]:
                if side != "hcc":
                    line["ratios"][side] = {
                        name: ratio(rounds, (label, side), (label, "hcc"), name + "_ms")
                        for name in ("step", "forward", "backward")}
                if plain and label != plain:
                    line["over_residual"][side] = ratio(rounds, (label, side), (plain, side),
                                                        "step_ms")
                if entry["case"] == 4 and all(size[k] == v for k, v in ASKED_OF.items()):
                    line["asked"][side] = OVER_HCC[precision].get((side, row["wiring"]))
                    line["asked"]["residual"] = OVER_RESIDUAL[precision].get(row["wiring"])
            if entry["case"] == 1 and line["sides"].get("hcc"):
                line["traffic"] = traffic(line, size, row["n"], bandwidth)
            rows.append(line)
        found.append({**{k: entry[k] for k in ("case", "name", "size", "sides", "failed")},
                      "rows": rows, "rounds": len(rounds)})
    return found


def traffic(line, size, n, bandwidth):
    """Bytes moved at a position over the floor, and bytes a second over the copy's."""
    found, hcc = {}, line["sides"]["hcc"]
    for name, floor in (("forward", 2 * n + 2), ("backward", 3 * n + 3)):
        moved, seconds = hcc[name + "_bytes"] * size["positions"], hcc[name + "_ms"] / 1e3
        found[name] = {
            "floor_elements": floor * size["d"],
            "over_floor": hcc[name + "_bytes"] / (4 * floor * size["d"]),
            "bandwidth_share": moved / seconds / bandwidth if bandwidth and seconds > 0 else None}
    return found


def missed(analysed):
    """Ratios of case 4 below what is asked for."""
    found = []
    for group in analysed:
        for row in group["rows"]:
            for side, asked in row["asked"].items():
                got = row["over_residual"].get("hcc") if side == "residual" else \
                      row["ratios"].get(side, {}).get("step")
                if not asked or not got:
                    continue
                bad = got["median"] > asked if side == "residual" else got["median"] < asked
                if bad:
                    what = "over residual" if side == "residual" else f"{side} over hcc"
                    found.append(f"{row['label']} {what} {got['median']:.3f}, asked {asked}")
    return found


# --- tables ---------------------------------------------------------------------------------------


def number(value, digits=3):
    if value is None:
        return "–"
    return f"{value:.{max(0, digits - len(str(int(abs(value)))))}f}"


def spread(found):
    if not found:
        return "–"
    text = f"{found['median']:.2f}"
    same = f"{found['min']:.2f}" == f"{found['max']:.2f}"
    return text if same else f"{text} ({found['min']:.2f} … {found['max']:.2f})"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def cell(group, row, side, name, scale=1.0):
    found = row["sides"].get(side)
    if found is None:
        return "**failed**" if f"{row['label']}, {side}" in group["failed"] else "–"
    return number(found[name] * scale)


def peers(group):
    return [side for side in group["sides"] if side != "hcc"]


def passes_table(groups, unit, scale_of):
    """Cases 1 to 3: a line a pass."""
    sides = groups[0]["sides"]
    connection = groups[0]["case"] == 1
    head = ["size", "" if groups[0]["case"] == 3 else "wiring", "pass", *(f"{s} {unit}" for s in sides),
            *(f"{s} / hcc" for s in peers(groups[0]))]
    if connection:
        head += ["bytes over floor", "share of bandwidth"]
    rows = []
    for group in groups:
        for row in group["rows"]:
            for name in ("forward", "backward"):
                cells = [group["name"], "" if group["case"] == 3 else row["label"], name]
                cells += [cell(group, row, s, name + "_ms", scale_of(group)) for s in sides]
                cells += [spread(row["ratios"][s][name]) for s in peers(group)]
                if connection:
                    t = row.get("traffic", {}).get(name)
                    cells.append(f"{t['over_floor']:.2f} × {t['floor_elements'] // group['size']['d']}C"
                                 if t else "–")
                    share = t and t["bandwidth_share"]
                    cells.append(f"{100 * share:.0f} %" if share else "–")
                rows.append(cells)
    return table(head, rows)


def steps_table(group):
    """Cases 4 to 6: a line a wiring."""
    sides = group["sides"]
    head = ["wiring", *(f"{s} positions/s" for s in sides), *(f"{s} / hcc" for s in peers(group)),
            *(f"{s} over residual" for s in sides), *(f"{s} MB" for s in sides if s != "compiled")]
    rows = []
    for row in group["rows"]:
        cells = [row["label"], *(cell(group, row, s, "positions_per_s") for s in sides)]
        for side in peers(group):
            asked = row["asked"].get(side)
            cells.append(spread(row["ratios"][side]["step"]) + (f", asked {asked}" if asked else ""))
        for side in sides:
            asked = row["asked"].get("residual") if side == "hcc" else None
            text = spread(row["over_residual"].get(side)) if row["over_residual"] else ""
            cells.append(text + (f", asked {asked}" if asked and text else ""))
        cells += [cell(group, row, s, "peak_bytes", 1e-6) for s in sides if s != "compiled"]
        rows.append(cells)
    return table(head, rows)


def case_text(case, groups, result):
    lines = [f"## {case}. {TITLES[case]}", ""]
    if case == 1:
        lines += ["Microseconds for all positions; T × C is positions × features. hcc: a connection in "
                  "the middle of a trunk of eight, between branches whose products do not count; "
                  "bytes are those that the plan reads and writes. PyTorch: the connection by itself, "
                  "streams to streams. Fastest of the steps of a run.", ""]
        lines += passes_table(groups, "µs", lambda group: 1e3)
    elif case == 2:
        lines += ["Microseconds for all positions and one connection, fastest step. hcc may fuse from "
                  "the first connection to the last.", ""]
        lines += passes_table(groups, "µs", lambda group: 1e2)
    elif case == 3:
        lines += ["Nanoseconds a matrix, fastest step.", ""]
        lines += passes_table(groups, "ns", lambda group: 1e6 / group["size"]["matrices"])
        lines += errors_text(result.get("sinkhorn_errors"))
    else:
        for group in groups:
            lines += [f"**{group['name']}** ({group['size']['batch'] * group['size']['context']} "
                      "positions a step)", "", *steps_table(group)]
    failures = [(group["name"], name, text) for group in groups
                for name, text in group["failed"].items()]
    for group, name, text in failures:
        lines += [f"Failed: {group}, {name}:", "", "```", text.strip(), "```", ""]
    return lines


def errors_text(errors):
    if not errors:
        return []
    if "failed" in errors:
        return ["Failed: the errors of the scaling:", "", "```", errors["failed"].strip(), "```", ""]
    rows = [[side, *(f"{errors[side][name]:.1e}" for name in
                     ("destinations_max", "sources_max", "destinations_mean", "sources_mean"))]
            for side in ("hcc", "PyTorch") if side in errors]
    return [f"How far the sums of {errors['matrices']} scaled matrices of the same normal logits are "
            "from one:", "", *table(["", "destinations, largest", "sources, largest",
                                     "destinations, mean", "sources, mean"], rows)]


def markdown(result, analysed):
    where, config = result["machine"], result["config"]
    vectors = f", {where['vectors']}" if where["vectors"] else ""
    peers_named = "PyTorch and JAX" if "jax" in config["sides"] else "PyTorch"
    narrow = config.get("precision") == "bf16"
    lines = [f"# hcc against {peers_named}{', bf16' if narrow else ''}", "",
             f"{where['cpu']}, {where['cores']} cores{vectors}; {config['threads']} threads; "
             f"{config['rounds']} rounds of {config['steps']} steps, the sides taking turns; load "
             f"{where['load_before']:.1f} before"
             + (f", {where['load_after']:.1f} after." if "load_after" in where else "."),
             "A ratio is formed inside a round: median, and range over rounds. Above 1: hcc is "
             "faster. dynamic, mHC and frac are the hyper-connections package's in PyTorch, where "
             "mHC's maps follow each stream by itself (hcc's follow all of them, as in the paper); "
             "static is a plain transcription. "
             + ("Products take bf16 (hcc: --precision bf16; PyTorch: torch.autocast; JAX: as Flax "
                "does); weights are f32." if narrow else "f32 everywhere.")]
    if config["quick"]:
        lines += ["", "**`--quick`: small sizes and few steps, to see that everything runs.**"]
    if result["bandwidth"]:
        gigabytes = [b / 1e9 for b in result["bandwidth"]]
        lines += ["", f"Copy bandwidth, read and written: {max(gigabytes):.1f} GB/s (the best of "
                  f"{len(gigabytes)} measurements beside the runs, from {min(gigabytes):.1f}; each "
                  f"thread has the C library copy its share of 256 MB)."]
    lines.append("")
    for case in sorted({group["case"] for group in analysed}):
        lines += case_text(case, [g for g in analysed if g["case"] == case], result)
    return "\n".join(lines).rstrip() + "\n"
