"""The plot of bench/run.py: bars as SVG, without any library."""

from __future__ import annotations

from cases import TITLES

COLOURS = {"hcc": "#1b6ca8", "eager": "#b9c0c9", "compiled": "#e39b2d", "jax": "#7a9a5b"}
NAMES = {"hcc": "hcc", "eager": "PyTorch eager", "compiled": "PyTorch compiled", "jax": "JAX"}
INK, MUTED, GRID, WRONG = "#20262d", "#6b7480", "#e4e7eb", "#b3261e"
COLUMN, MARGIN, GUTTER = 600, 28, 44  # a panel's width, around all, between columns
LEFT, RIGHT = 142, 46  # inside a panel: labels of rows, figures behind bars
BAR, GAP, ROW_GAP = 10, 2, 7
FONT = "font-family='DejaVu Sans, Verdana, Helvetica, Arial, sans-serif'"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")


class Canvas:
    """What is drawn, from (0, 0); `y` is how far down it goes."""

    def __init__(self):
        self.parts, self.y = [], 0.0

    def text(self, x, y, text, size=11, colour=INK, anchor="start", weight="normal"):
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' "
                          f"text-anchor='{anchor}' font-weight='{weight}'>{escape(text)}</text>")

    def box(self, x, y, width, height, colour):
        self.parts.append(f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0.5):.1f}' "
                          f"height='{height:.1f}' rx='1.5' fill='{colour}'/>")

    def line(self, x1, y1, x2, y2, colour, width=1.0, dash=""):
        dashed = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' "
                          f"stroke='{colour}' stroke-width='{width}'{dashed}/>")

    def moved(self, x, y):
        return f"<g transform='translate({x:.1f} {y:.1f})'>\n" + "\n".join(self.parts) + "\n</g>"


def distance(top):
    """Between grid lines: at most six of them."""
    steps = [base * 10 ** k for k in range(-1, 5) for base in (1, 2, 5)]
    return next((s for s in steps if top / s <= 6), top)


def bars_of_row(canvas, bars, scale):
    for side, found in bars:
        base = canvas.y + BAR - 1.5
        if found is None:
            canvas.text(LEFT + 5, base, "failed", 10, WRONG)
        else:
            median, low, high = found
            canvas.box(LEFT, canvas.y, median * scale, BAR, COLOURS[side])
            if high - low > 0.03 * median:
                y = canvas.y + BAR / 2
                canvas.line(LEFT + low * scale, y, LEFT + high * scale, y, INK)
                for x in (low, high):
                    canvas.line(LEFT + x * scale, y - 2.5, LEFT + x * scale, y + 2.5, INK)
            canvas.text(LEFT + max(median, high) * scale + 5, base, f"{median:.2f}", 10, MUTED)
        canvas.y += BAR + GAP
    canvas.y += ROW_GAP


def panel(title, subtitle, groups):
    """groups: (name, [(label, [(side, (median, low, high) or None)])]); None where all failed."""
    highs = [bar[2] for _, rows in groups for _, bars in rows for _, bar in bars if bar]
    if not highs:
        return None
    top = max([*highs, 1.0]) * 1.02
    scale = (COLUMN - LEFT - RIGHT) / top
    canvas = Canvas()
    canvas.text(0, 15, title, 15, weight="bold")
    canvas.text(0, 32, subtitle, 11, MUTED)
    canvas.y = 44
    begun = canvas.y
    for name, rows in groups:
        alone = len(rows) == 1  # the group's name is its row's
        if not alone:
            canvas.text(0, canvas.y + 11, name, 11, weight="bold")
            canvas.y += 18
        for label, bars in rows:
            middle = canvas.y + (len(bars) * (BAR + GAP) - GAP) / 2
            canvas.text(LEFT - 8, middle + 4, name if alone else label, 11, anchor="end")
            bars_of_row(canvas, bars, scale)
        canvas.y += 0 if alone else 5
    drawn, canvas.parts = canvas.parts, []
    for k in range(int(top / distance(top)) + 1):
        x = LEFT + k * distance(top) * scale
        canvas.line(x, begun, x, canvas.y, GRID)
        canvas.text(x, canvas.y + 13, f"{k * distance(top):g}", 10, MUTED, "middle")
    canvas.parts += drawn
    canvas.line(LEFT + scale, begun, LEFT + scale, canvas.y, INK, 1, "4 3")
    canvas.y += 20
    return canvas


def bar(group, label, side, found, of):
    """Nothing where nothing was asked for; None for what failed."""
    if found:
        low, high = sorted((of(found["min"]), of(found["max"])))
        return [(side, (of(found["median"]), low, high))]
    broken = any(f"{label}, {s}" in group["failed"] for s in (side, "hcc"))
    return [(side, None)] if broken else []


def speeds(groups, of_pass):
    """PyTorch's time over hcc's, a bar a peer."""
    found = []
    for group in groups:
        rows = []
        for row in group["rows"]:
            bars = [b for side, ratios in row["ratios"].items()
                    for b in bar(group, row["label"], side, ratios[of_pass], float)]
            rows += [(row["label"], bars)] if bars else []
        found += [(group["name"], rows)] if rows else []
    return found


def relative(groups):
    """Positions a second relative to the same side's residual."""
    found = []
    for group in groups:
        rows = []
        for row in group["rows"]:
            bars = [b for side, ratio in row["over_residual"].items()
                    for b in bar(group, row["label"], side, ratio, lambda x: 1 / x)]
            rows += [(row["label"], bars)] if bars else []
        found += [(group["name"], rows)] if rows else []
    return found


def panels(analysed):
    faster = "PyTorch's time over hcc's; beyond 1 hcc is faster"
    for case in sorted({group["case"] for group in analysed}):
        groups = [group for group in analysed if group["case"] == case]
        title = f"{case}. {TITLES[case]}"
        if case == 3:
            yield panel(title, f"Forward: {faster}", speeds(groups, "forward"))
            yield panel(title, f"Backward: {faster}", speeds(groups, "backward"))
        else:
            both = "Forward and backward: " if case < 3 else ""
            yield panel(title, both + faster, speeds(groups, "step"))
        if case > 3:
            yield panel(title, "Positions a second relative to the plain residual of the same program",
                        relative(groups))


def draw(analysed):
    drawn = [p for p in panels(analysed) if p]
    total, between, top = sum(p.y for p in drawn), 26, 84
    columns = 2 if total > 700 else 1
    at, column, heights, parts = top, 0, [top, top], []
    for p in drawn:
        if columns == 2 and column == 0 and at > top and at - top + p.y / 2 > total / 2:
            at, column = top, 1
        parts.append(p.moved(MARGIN + column * (COLUMN + GUTTER), at))
        at += p.y + between
        heights[column] = at
    width, height = 2 * MARGIN + columns * COLUMN + (columns - 1) * GUTTER, max(heights)
    head = Canvas()
    head.text(0, 18, "hcc against PyTorch", 20, weight="bold")
    x, used = 0, {side for group in analysed for side in group["sides"]}
    for side in [side for side in COLOURS if side in used]:
        head.box(x, 30, 11, 11, COLOURS[side])
        head.text(x + 16, 40, NAMES[side], 11.5)
        x += 38 + 7 * len(NAMES[side])
    head.text(x, 40, "bars: medians of rounds; lines: from the least to the greatest", 11, MUTED)
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height:.0f}' "
            f"viewBox='0 0 {width} {height:.0f}' {FONT}>\n"
            "<rect width='100%' height='100%' fill='white'/>\n"
            + "\n".join([head.moved(MARGIN, 20), *parts]) + "\n</svg>\n")
