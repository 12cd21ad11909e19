"""Numbers that do not depend on any implementation here, and a check against the PyTorch side.

    python tests/reference/oracles.py            checks, prints one line per check, exit code 0 or 1
    python tests/reference/oracles.py --json     the data, for tests in other languages

Arrays are (destination, source) unless said otherwise.  The logits are 2 sin(1 + 3i + j + 0.5ij).
They are not symmetric, so a transposed or a wrongly ordered implementation fails.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def grid(n, f):
    return [[f(i, j) for j in range(n)] for i in range(n)]


SINKHORN = {
    "logits": grid(4, lambda i, j: 2 * math.sin(1 + 3 * i + j + 0.5 * i * j)),
    # The weight of each entry in the scalar whose gradient is given.
    "weights": grid(4, lambda i, j: math.cos(0.7 * i - 1.3 * j + 0.2)),
    "value": {
        1: [
            [0.403628, 0.466924, 0.108513, 0.020935],
            [0.020404, 0.022835, 0.376306, 0.580454],
            [0.408447, 0.252812, 0.016208, 0.322533],
            [0.062303, 0.163599, 0.740774, 0.033324],
        ],
        3: [
            [0.429738, 0.478459, 0.072232, 0.019571],
            [0.025916, 0.027914, 0.298822, 0.647348],
            [0.432173, 0.257451, 0.010722, 0.299654],
            [0.087484, 0.221097, 0.650332, 0.041087],
        ],
        20: [
            [0.436339, 0.478309, 0.066676, 0.018677],
            [0.027763, 0.029442, 0.291025, 0.651771],
            [0.442334, 0.259437, 0.009977, 0.288253],
            [0.093565, 0.232813, 0.632323, 0.041300],
        ],
    },
    "gradient": {
        3: [
            [0.202727, -0.117406, -0.101678, -0.008879],
            [0.022710, 0.027682, -0.042585, 0.019942],
            [-0.116131, 0.134413, 0.000713, -0.016389],
            [-0.109305, -0.044688, 0.143550, 0.005326],
        ],
        20: [
            [0.214212, -0.111542, -0.094005, -0.008664],
            [0.020821, 0.025077, -0.053506, 0.007608],
            [-0.122127, 0.132515, 0.001098, -0.011486],
            [-0.112906, -0.046050, 0.146413, 0.012542],
        ],
    },
    # max |column sum - 1| after so many iterations, with the number of digits known.
    "column_error": {1: 0.242, 2: 0.0865, 3: 0.0321, 5: 0.00477, 10: 7.1e-5, 20: 2.0e-8},
    # max |difference| to the order destination first, source last.
    "order_gap": {1: 0.159, 2: 0.058, 3: 0.022, 5: 0.0032, 10: 4.2e-5, 20: 1.1e-8},
    # 12 sin(..) after 20 iterations: the side normalised first is still far off.
    "hard_column_sums": [0.9696, 0.9645, 1.0546, 1.0113],
}

SINKHORN2 = {"logits": [[0.3, -1.1], [0.7, 2.0]], "p": 0.79412963}

# One whole site in DeepSeek-V4's arithmetic, n = 2, d = 3, y = tanh(x), no norm on the branch's
# input.  fn has rows [pre 2 | post 2 | source-major mixing 4] over the flat state.
# Published as pre[0] = .5599764763; the x published with it (and plain arithmetic) give .5599764803.
V4_SITE = {
    "H": [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]],
    "fn": [[0.1 * math.sin(1 + 7 * o + i) for i in range(6)] for o in range(8)],
    "base": [0.3, -0.2, 0.1, 0.4, 1.0, -1.0, -0.5, 0.8],
    "scale": [0.5, 0.6, 0.7],
    "iters": 20,
    "z": [
        -0.1178749,
        -0.2539115,
        -0.2649740,
        -0.1456175,
        0.0454113,
        0.2140888,
        0.2773928,
        0.2041653,
    ],
    "pre": [0.5599764803, 0.4189825196],
    "post": [0.9705163478, 1.1550539276],
    "C_source_first": [[0.827116, 0.172883], [0.172883, 0.827116]],
    "x": [0.9084620196, -0.4552308504, 0.8057160709],
    "H_next": [[1.372036, -1.197519, 2.172117], [2.159208, -0.458376, 0.496105]],
}

# Mixing maps of the constrained families from their logits; go-mHC's are the entries of theta minus
# its transpose.
FAMILIES = {
    "mhc_lite_n4": {
        "logits": [math.sin(1 + k) for k in range(24)],
        "value": [
            [0.245971, 0.249189, 0.251587, 0.253253],
            [0.406132, 0.350229, 0.147808, 0.095831],
            [0.224876, 0.165713, 0.295082, 0.314330],
            [0.123021, 0.234870, 0.305523, 0.336586],
        ],
    },
    "mhc_lite_n3": {
        "logits": [0.1, -0.4, 0.7, 0.0, 0.3, -0.9],
        "value": [
            [0.271247, 0.460419, 0.268334],
            [0.513868, 0.230953, 0.255179],
            [0.214885, 0.308628, 0.476486],
        ],
    },
    "kromhc_n4": {
        "logits": [[0.2, -0.5], [1.0, 0.3]],
        "value": [
            [0.446475, 0.221713, 0.221713, 0.110099],
            [0.221713, 0.446475, 0.110099, 0.221713],
            [0.221713, 0.110099, 0.446475, 0.221713],
            [0.110099, 0.221713, 0.221713, 0.446475],
        ],
    },
    "gomhc_s2_n4": {
        "theta": grid(8, lambda i, j: 0.5 * math.sin(1 + 3 * i + j + 0.5 * i * j)),
        "value": [
            [0.284349, 0.131725, 0.359644, 0.224282],
            [0.078973, 0.347420, 0.301134, 0.272472],
            [0.333116, 0.152531, 0.210512, 0.303841],
            [0.303561, 0.368324, 0.128710, 0.199405],
        ],
    },
    "gomhc_s1_n4": {
        "theta": grid(4, lambda i, j: 0.5 * math.sin(1 + 3 * i + j + 0.5 * i * j)),
        "value": [
            [0.049789, 0.577737, 0.123278, 0.249196],
            [0.839551, 0.009645, 0.020564, 0.130240],
            [0.029048, 0.151555, 0.818330, 0.001068],
            [0.081613, 0.261064, 0.037828, 0.619496],
        ],
    },
    "tbp_n4_zero": {
        "logits": grid(3, lambda i, j: 0.0),
        "value": [
            [0.5, 0.25, 0.125, 0.125],
            [0.25, 0.375, 0.1875, 0.1875],
            [0.125, 0.1875, 0.34375, 0.34375],
            [0.125, 0.1875, 0.34375, 0.34375],
        ],
    },
    "tbp_n4": {
        "logits": grid(3, lambda i, j: math.sin(1 + 3 * i + j + 0.5 * i * j)),
        "value": [
            [0.698775, 0.214730, 0.046294, 0.040201],
            [0.096193, 0.259598, 0.424265, 0.219944],
            [0.135030, 0.316242, 0.142390, 0.406338],
            [0.070001, 0.209430, 0.387052, 0.333517],
        ],
    },
}

DATA = {"sinkhorn": SINKHORN, "sinkhorn_n2": SINKHORN2, "v4_site": V4_SITE, "families": FAMILIES}


class Report:
    def __init__(self):
        self.failed = 0

    def close(self, what, got, want, tolerance):
        """got and want: tensors, or nested lists; largest absolute difference."""
        import torch

        got = torch.as_tensor(got, dtype=torch.float64).detach()
        want = torch.as_tensor(want, dtype=torch.float64)
        self.below(what, (got - want).abs().max().item(), tolerance)

    def below(self, what, error, tolerance):
        ok = error <= tolerance  # false for nan
        self.failed += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {what}: {error:.2e} (at most {tolerance:.0e})")


def check_sinkhorn(report):
    import torch

    from hcref.connections import sinkhorn

    logits = torch.tensor(SINKHORN["logits"], dtype=torch.float64)
    weights = torch.tensor(SINKHORN["weights"], dtype=torch.float64)
    for t, want in SINKHORN["value"].items():
        report.close(f"sinkhorn value, {t} iterations", sinkhorn(logits, t), want, 6e-7)
    for t, want in SINKHORN["gradient"].items():
        x = logits.clone().requires_grad_()
        (weights * sinkhorn(x, t)).sum().backward()
        report.close(f"sinkhorn gradient, {t} iterations", x.grad, want, 6e-7)
        # A constant added to a source's column changes nothing at any iteration count.
        report.close(f"sinkhorn gradient column sums, {t} iterations", x.grad.sum(0), [0] * 4, 1e-12)
    for t, want in SINKHORN["column_error"].items():
        M = sinkhorn(logits, t)
        error = (M.sum(0) - 1).abs().max().item()
        report.below(f"sinkhorn column error, {t} iterations, relative", abs(error / want - 1), 0.03)
        report.close(f"sinkhorn row sums, {t} iterations", M.sum(1), [1] * 4, 1e-14)
    for t, want in SINKHORN["order_gap"].items():
        gap = (sinkhorn(logits, t) - sinkhorn(logits.T, t).T).abs().max().item()
        report.below(f"gap to the opposite order, {t} iterations, relative", abs(gap / want - 1), 0.06)
    hard = sinkhorn(6 * logits, 20).sum(0)
    report.close("sinkhorn column sums, hard logits", hard, SINKHORN["hard_column_sums"], 6e-5)
    p = sinkhorn(torch.tensor(SINKHORN2["logits"], dtype=torch.float64), 20)[0, 0]
    report.close("sinkhorn of two streams", p, SINKHORN2["p"], 6e-9)


def check_v4_site(report):
    """The same site through MHC(convention="v4"), whose mixing map is stored the other way round."""
    import torch

    from hcref.connections import MHC

    o, f64 = V4_SITE, torch.float64
    hc = MHC(3, 0, n=2, convention="v4").double()
    hc.norm = lambda x: x
    fn, base = torch.tensor(o["fn"], dtype=f64), torch.tensor(o["base"], dtype=f64)
    with torch.no_grad():
        hc.P.copy_(fn[0:2].view(2, 2, 3))
        hc.Q.copy_(fn[2:4].view(2, 2, 3))
        hc.R.copy_(fn[4:8].view(2, 2, 2, 3).transpose(0, 1))  # source, destination -> (k, j)
        hc.bp.copy_(base[0:2])
        hc.bq.copy_(base[2:4])
        hc.br.copy_(base[4:8].view(2, 2).T)
        for a, s in zip((hc.ap, hc.aq, hc.ar), o["scale"]):
            a.fill_(s)
        H = torch.tensor(o["H"], dtype=f64)
        flat = H.flatten()
        report.close("v4 site, z", (fn @ flat) * hc.inverse_rms(flat), o["z"], 6e-8)
        pre, M, post = hc.maps(H)
        report.close("v4 site, read weights", pre, o["pre"], 6e-11)
        report.close("v4 site, write weights", post, o["post"], 6e-11)
        report.close("v4 site, mixing map", M.T, o["C_source_first"], 1e-6)
        x, maps = hc.read(H)
        report.close("v4 site, branch input", x, o["x"], 6e-11)
        report.close("v4 site, next state", hc.write(H, x.tanh(), maps), o["H_next"], 1e-6)


def check_families(report):
    import torch

    from hcref.constrained import birkhoff, kronecker, orthostochastic, transport

    def tensor(x):
        return torch.tensor(x, dtype=torch.float64)

    def orthogonal_squares(theta, s):
        theta = tensor(theta)
        i, j = torch.triu_indices(*theta.shape, offset=1)
        return orthostochastic((theta - theta.T)[i, j], 4, s)

    o = FAMILIES
    found = {
        "mhc_lite_n4": birkhoff(torch.softmax(tensor(o["mhc_lite_n4"]["logits"]), -1), 4),
        "mhc_lite_n3": birkhoff(torch.softmax(tensor(o["mhc_lite_n3"]["logits"]), -1), 3),
        "kromhc_n4": kronecker(torch.softmax(tensor(o["kromhc_n4"]["logits"]), -1)),
        "gomhc_s2_n4": orthogonal_squares(o["gomhc_s2_n4"]["theta"], 2),
        "gomhc_s1_n4": orthogonal_squares(o["gomhc_s1_n4"]["theta"], 1),
        "tbp_n4_zero": transport(tensor(o["tbp_n4_zero"]["logits"])),
        "tbp_n4": transport(tensor(o["tbp_n4"]["logits"])),
    }
    for name, M in found.items():
        report.close(name, M, o[name]["value"], 6e-7)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the data")
    if parser.parse_args().json:
        print(json.dumps(DATA, indent=1))
        return 0
    report = Report()
    check_sinkhorn(report)
    check_v4_site(report)
    check_families(report)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
