"""Checks that the reference itself is right: equivalences between connections, in f64.

    python tests/reference/check_reference.py       one line per check, exit code 0 or 1
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
import oracles  # noqa: E402
from hcref import CONNECTIONS, GPT, GPTConfig, load_weights, make_connection, save_weights  # noqa: E402
from hcref.gpt import rope  # noqa: E402
from hcref.train import rate  # noqa: E402

D, SITES = 16, 6
F64 = torch.float64


def chain(wiring, norm="rmsnorm", eps=0.0, n=4, modify=None, **options):
    """A function of x: SITES connections around fixed nonlinear branches, and the final state."""
    hcs = [make_connection(wiring, D, k, n, norm, eps, **options).double() for k in range(SITES)]
    for hc in hcs:
        if modify:
            modify(hc)
    g = torch.Generator().manual_seed(5)
    weights = [torch.randn(D, D, generator=g, dtype=F64) / math.sqrt(D) for _ in range(SITES)]

    def run(x):
        H = hcs[0].begin(x)
        for hc, W in zip(hcs, weights):
            u, maps = hc.read(H)
            H = hc.write(H, torch.tanh(u @ W), maps)
        return hcs[-1].end(H), H

    return run, hcs


def gap(a, b):
    return (a - b).abs().max().item()


def randomise(module, scale=0.3):
    """Values without any symmetry, so that a transposed map cannot hide."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(scale * torch.randn(p.shape, dtype=p.dtype))


def check_equivalences(report):
    torch.manual_seed(0)
    x = torch.randn(3, 7, D, dtype=F64)
    for norm in ("rmsnorm", "layernorm"):
        residual, h = chain("residual", norm)[0](x)
        for n in (1, 2, 4, 5):
            out, H = chain("shc", norm, n=n)[0](x)
            report.below(f"E1 shc at init = residual, n {n}, {norm}", gap(out, residual), 1e-12)
            report.below(f"E1 streams equal, n {n}, {norm}", gap(H, H[..., :1, :].expand_as(H)), 0)
            dynamic, _ = chain("dhc", norm, n=n)[0](x)
            report.below(f"E2 dhc at init = shc, n {n}, {norm}", gap(dynamic, out), 0)
        for m in (1, 2, 4, 8):
            for dynamic in (False, True):
                out, _ = chain("frac", norm, n=m, dynamic=dynamic)[0](x)
                what = f"E9 frac at init = residual, m {m}, dynamic {dynamic}, {norm}"
                report.below(what, gap(out, residual), 0)
    # With eps as shipped the sum of n streams meets eps once, not n^2 times.
    a, b = chain("shc", eps=None)[0](x)[0], chain("residual", eps=None)[0](x)[0]
    report.below("E1 with the usual eps", gap(a, b), 1e-5)

    def same_frac(hc):  # E8: one fraction is one stream; give both the same dynamic weights
        torch.manual_seed(11 + hc.site)
        values = [torch.randn(D, dtype=F64) for _ in range(3)]
        names = ("Wy", "Wa", "Wb") if hasattr(hc, "Wy") else ("Wm", "Wr", "Wb")
        with torch.no_grad():
            for name, v in zip(names, values):
                p = getattr(hc, name)
                p.copy_(v.view_as(p))

    frac = chain("frac", n=1, modify=same_frac)[0](x)[0]
    dhc = chain("dhc", n=1, modify=same_frac)[0](x)[0]
    report.below("E8 frac m 1 = dhc n 1", gap(frac, dhc), 1e-12)

    def to_static(hc):  # E16: mixing to the identity, one-hot read, write 1
        with torch.no_grad():
            for p in (hc.P, hc.Q, hc.R, hc.bq):
                p.zero_()
            hc.bp.copy_(2000 * torch.eye(hc.n)[hc.site % hc.n] - 1000)
            hc.br.copy_(200 * torch.eye(hc.n) - 200)

    out, _ = chain("mhc", modify=to_static)[0](x)
    report.below("E16 mhc in the limit = residual", gap(out, chain("residual")[0](x)[0]), 1e-12)

    def uniform(hc):  # E14: every logit zero: all streams become mean + y
        with torch.no_grad():
            for p in (hc.P, hc.Q, hc.R, hc.bp, hc.bq, hc.br):
                p.zero_()

    _, H = chain("mhc", modify=uniform)[0](x)
    report.below("E14 mhc of zero logits: streams equal", gap(H, H[..., :1, :].expand_as(H)), 1e-12)


def check_shc_unfolded(report):
    """E7: any static matrices equal the explicit sum over earlier outputs."""
    torch.manual_seed(1)
    x = torch.randn(2, D, dtype=F64)
    run, hcs = chain("shc", modify=randomise)
    _, H = run(x)
    # Straight from the paper's layout: a row vector of coefficients times the matrices.
    g = torch.Generator().manual_seed(5)
    weights = [torch.randn(D, D, generator=g, dtype=F64) / math.sqrt(D) for _ in range(SITES)]
    outputs, carried = [], [torch.ones(4, dtype=F64)]  # carried[j]: where output j now lies
    for hc, W in zip(hcs, weights):
        sources = [x] + outputs
        u = sum((c @ hc.Am) * s for c, s in zip(carried, sources))
        outputs.append(torch.tanh(hc.norm(u) @ W))
        carried = [c @ hc.Ar.T for c in carried] + [hc.B]
    end = sum(c[:, None] * s[:, None, :] for c, s in zip(carried, [x] + outputs))
    report.below("E7 shc unfolded", gap(end, H), 1e-12)


def check_permutation(report):
    """I10: renaming the streams together with their parameters changes nothing."""
    torch.manual_seed(2)
    x = torch.randn(2, D, dtype=F64)
    order = torch.tensor([2, 0, 3, 1])
    axes = {  # stream axes of each parameter
        "shc": {"Am": [0], "Ar": [0, 1], "B": [0]},
        "dhc": {"Am": [0], "Ar": [0, 1], "B": [0], "Wr": [0]},
        "mhc": {
            "P": [0, 1],
            "Q": [0, 1],
            "R": [0, 1, 2],
            "bp": [0],
            "bq": [0],
            "br": [0, 1],
        },
    }
    for wiring, renamed in axes.items():
        run, hcs = chain(wiring, modify=randomise)
        before, _ = run(x)
        with torch.no_grad():
            for hc in hcs:
                for name, dims in renamed.items():
                    p = getattr(hc, name)
                    for dim in dims:
                        p.copy_(p.index_select(dim, order))
        report.below(f"I10 {wiring}: streams renamed", gap(run(x)[0], before), 1e-12)


def check_initial_gradients(report):
    """I17: at the start tanh(0) hides the scales, the weights behind it are not hidden."""
    torch.manual_seed(3)
    x = torch.randn(2, D, dtype=F64)
    target = torch.randn(2, D, dtype=F64)
    run, hcs = chain("dhc")
    (run(x)[0] * target).sum().backward()
    scales = max(max(abs(hc.sa.grad.item()), abs(hc.sb.grad.item())) for hc in hcs)
    report.below("I17 dhc: gradient of the scales at init", scales, 0)
    smallest = min(hc.Wb.grad.abs().max().item() for hc in hcs)
    report.below("I17 dhc: gradient of Wb is not zero", 0 if smallest > 1e-9 else 1, 0)


def tiny(wiring, **options):
    torch.manual_seed(7)
    return GPT(GPTConfig(vocab=11, context=8, d=16, heads=2, blocks=2, wiring=wiring, **options))


def check_models(report):
    """Whole models: finite gradients that agree with finite differences; causality; weights."""
    g = torch.Generator().manual_seed(9)
    tokens = torch.randint(0, 11, (2, 8), generator=g)
    targets = torch.randint(0, 11, (2, 8), generator=g)
    cases = [(w, {}) for w in CONNECTIONS]
    cases += [("mhc", {"connection": {"convention": "v4", "head": True}})]
    cases += [("residual", {"positions": "rope", "norm": "layernorm"})]
    for wiring, options in cases:
        what = f"{wiring} {options or ''}".strip()
        model = tiny(wiring, **options).double()
        randomise(model, 0.1)
        loss = model.loss(tokens, targets)
        loss.backward()
        worst, finite = 0.0, True
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.grad is None:
                    # Only a collapse that no other site uses may lack a gradient.
                    finite = finite and name.endswith((".Pe", ".be", ".ae"))
                    continue
                finite = finite and bool(p.grad.isfinite().all())
                v = torch.randn(p.shape, generator=g, dtype=F64)
                v /= v.norm()
                # Five-point differences: truncation and rounding both stay below 1e-10 or so.
                h, values = 1e-3, {}
                start = p.clone()
                for k in (-2, -1, 1, 2):
                    p.copy_(start + k * h * v)
                    values[k] = model.loss(tokens, targets).item()
                p.copy_(start)
                numeric = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * h)
                exact = (p.grad * v).sum().item()
                scale = max(abs(exact), abs(numeric), 1e-3 * p.grad.norm().item(), 1e-6)
                worst = max(worst, abs(exact - numeric) / scale)
        report.below(f"gradients finite: {what}", 0 if finite else 1, 0)
        report.below(f"gradients against differences: {what}", worst, 1e-6)
        with torch.no_grad():
            changed = tokens.clone()
            changed[:, 5:] = (changed[:, 5:] + 3) % 11
            before, after = model(tokens), model(changed)
            report.below(f"I13 causal: {what}", gap(before[:, :5], after[:, :5]), 0)
            with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
                save_weights(model, f.name)
                other = tiny(wiring, **options).double()
                load_weights(other, f.name)
                report.below(f"weights saved and loaded: {what}", gap(before, other(tokens)), 0)


def check_equal_models(report):
    """E1, E2, E9 for whole networks from the same branch weights, eps 0."""
    tokens = torch.arange(16).view(2, 8) % 11
    base = tiny("residual", eps=0.0).double()
    own = dict(base.named_parameters())
    want = base(tokens)
    for wiring in ("shc", "dhc", "frac"):
        model = tiny(wiring, eps=0.0).double()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if ".hc." not in name:
                    p.copy_(own[name])
        report.below(f"whole network, {wiring} at init = residual", gap(model(tokens), want), 1e-12)


def check_pieces(report):
    report.close("rate: first step", rate(0, 2000, 1e-3, 100, 0.1), 1e-5, 1e-18)
    report.close("rate: end of warm-up", rate(99, 2000, 1e-3, 100, 0.1), 1e-3, 1e-18)
    report.close("rate: last step", rate(1999, 2000, 1e-3, 100, 0.1), 1e-4, 1e-18)
    q = torch.randn(1, 6, 8, dtype=F64)
    k = torch.randn(1, 1, 8, dtype=F64).expand(1, 6, 8)
    s = rope(q[:, :1].expand(1, 6, 8)) @ rope(k).transpose(-1, -2)
    report.close("rope: scores depend on the distance", s[0, 3, 1], s[0, 5, 3], 1e-12)


def main():
    torch.set_num_threads(1)
    report = oracles.Report()
    oracles.check_sinkhorn(report)
    oracles.check_v4_site(report)
    oracles.check_families(report)
    check_equivalences(report)
    check_shc_unfolded(report)
    check_permutation(report)
    check_initial_gradients(report)
    check_models(report)
    check_equal_models(report)
    check_pieces(report)
    print(f"{report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
