#!/usr/bin/env python3
"""examples/ideas against PyTorch: each file's model, written a second time here, from random parameters.

Losses and all gradients agree, in f64 to 1e-9. Without PyTorch (here, or in $HCC_TORCH_PYTHON) this is
skipped; that each file is in the table and none is left out is tested without it.
"""

import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy")
if not MISSING:
    import numpy as np
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)

FILES = {os.path.basename(path)[:-3]: path
         for path in sorted(glob.glob(os.path.join(harness.ROOT, "examples", "ideas", "*.hc")))}
SAMPLES, POSITIONS, LIMIT = 2, 9, 1e-9


# --- what the library has -----------------------------------------------------------------------------


def rmsnorm(x, g=None, eps=1e-6):
    x = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps)
    return x if g is None else x * g


def attention(p):
    def run(x):
        q, k, v = (torch.einsum("had,std->shta", p[f"W{w}"], x) for w in "qkv")
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return torch.einsum("dha,shta->std", p["Wo"], o)
    return run


def mlp(p):
    return lambda x: F.gelu(x @ p["W1"].T) @ p["W2"].T


# --- the ideas: connection(h, branches, p, block, site, sites) -> h -------------------------------------


def heun(h, branches, p, at):
    f, = branches
    k = f(rmsnorm(h))
    return h + 0.5 * (k + f(rmsnorm(h + k)))


def fixed_point(h, branches, p, at):
    f, = branches
    z = h
    for _ in range(4):
        z = 0.5 * z + 0.5 * (h + f(rmsnorm(z)))
    z = z.detach()
    return 0.5 * z + 0.5 * (h + f(rmsnorm(z)))


def reversible(streams, branches, p, at):
    (a, b), (f, g) = streams, branches
    a = a + f(rmsnorm(b))
    return a, b + g(rmsnorm(a))


def residual(h, branches, p, at):
    return h + branches[0](rmsnorm(h))


def halting(h, branches, p, at):
    y, more = branches[0](rmsnorm(h))
    e = h + y
    return e + more[..., None] * branches[0](rmsnorm(e))[0]


def asking(p):
    return lambda x: (F.gelu(x @ p["U"].T) @ p["D"].T, torch.sigmoid(x @ p["g"]))


def scanned(f, u):
    m, found = torch.zeros_like(u[:, 0]), []
    for t in range(u.shape[1]):
        m = f[:, t] * m + u[:, t]
        found.append(m)
    return torch.stack(found, 1)


def min_gru(p):
    def run(x):
        z, u = torch.sigmoid(x @ p["Wz"].T), x @ p["Wh"].T
        return scanned(1 - z, z * u) @ p["Wo"].T
    return run


def remembered(h, branches, p, at):
    keep = torch.sigmoid(p["r"]).expand_as(h)
    return h + branches[0](rmsnorm(h + p["a"] * scanned(keep, (1 - keep) * h)))


def before(x):
    return F.pad(x, (0, 0, 1, 0))[:, :-1]


def token_shift(streams, branches, p, at):
    a, b = streams
    y = branches[0](rmsnorm(a + torch.sigmoid(p["F"] * b) * before(b)))
    return a + y, b + y


def rotation(streams, branches, p, at):
    (a, b), cos, sin = streams, torch.cos(p["angle"]), torch.sin(p["angle"])
    a, b = cos * a - sin * b, sin * a + cos * b
    return a + branches[0](rmsnorm(a)), b


def neighbours(h, branches, p, at):
    padded = F.pad(h, (1, 1), mode="replicate")
    smooth = sum(p["taps"][k] * padded[..., k:k + h.shape[-1]] for k in range(3))
    return smooth + branches[0](rmsnorm(h))


def opened(h, branches, p, at):  # as in the first step of many: `step / steps` is 0
    return h + max(0, min(1, -at["block"])) * branches[0](rmsnorm(h))


def skipped(h, branches, p, at):  # outside training
    return h + branches[0](rmsnorm(h))


def spherical(p):
    return lambda x: F.gelu(p["g"] * (x @ p["U"].T)) @ p["D"].T


def straight_through(h, branches, p, at):
    y = branches[0](rmsnorm(h))
    return h + y + (0.25 * torch.floor(4 * y + 0.5) - y).detach()


def mean_of(streams):
    return 0.5 * (streams[0] + streams[1])


BRANCHES = {"attention": attention, "mlp": mlp, "asking": asking, "min_gru": min_gru, "spherical": spherical}
ENDS = {"reversible": mean_of, "token_shift": mean_of, "rotation": mean_of}
NOT_TRAINING = {"skipped"}

def of(parameters, path):
    return {name[len(path) + 1:]: value for name, value in parameters.items() if name.startswith(path + ".")}


def network(manifest, parameters, tokens):
    """The model of a file by the manifest's list of sites."""
    e = parameters["E"][tokens]
    first = manifest["sites"][0]["connection"]
    h = (e, e) if first in ENDS else e
    for k, site in enumerate(manifest["sites"]):
        mine = of(parameters, site["path"])
        several = [name for name in dict.fromkeys(one.split(".")[0] for one in mine) if name in BRANCHES]
        branches = [BRANCHES[name](of(mine, name)) for name in several] or [BRANCHES[site["branch"]](mine)]
        at = {"block": site["block"], "site": k, "sites": len(manifest["sites"])}
        h = globals()[site["connection"]](h, branches, of(mine, "hc"), at)
    return rmsnorm(ENDS.get(first, lambda h: h)(h)) @ parameters["E"].T


class Ideas(harness.TestCase):
    @harness.unittest.skipIf(MISSING, MISSING)
    def test_each_in_pytorch(self):
        for name, path in FILES.items():
            with self.subTest(name):
                self.compare(name, path)

    def compare(self, name, path):
        so = build(os.path.join(self.folder, f"{name}.so"), file=path, f64=True, d=16, context=POSITIONS)
        model = Model(so, samples=SAMPLES)
        self.addCleanup(model.close)
        model.c_set_training(model.context, name not in NOT_TRAINING)
        draw = np.random.default_rng(7)
        parameters = {}
        for one, p in model.parameters.items():
            np.ctypeslib.as_array(p.data)[:] = 0.4 * draw.standard_normal(len(p.data))
            parameters[one] = torch.tensor(np.ctypeslib.as_array(p.data).reshape(p.dims), requires_grad=True)
        tokens, wanted = draw.integers(0, 256, (2, SAMPLES, POSITIONS))
        model.set_input("tokens", tokens.flatten().tolist())
        model.set_input("next", wanted.flatten().tolist())
        loss = F.cross_entropy(network(model.manifest, parameters, torch.tensor(tokens)).flatten(0, 1),
                               torch.tensor(wanted).flatten())
        loss.backward()
        self.assertLess(abs(model.forward() - loss.item()), LIMIT * abs(loss.item()))
        model.backward()
        for one, p in parameters.items():
            found = np.ctypeslib.as_array(model.parameters[one].gradient)
            expected = p.grad.numpy().flatten() if p.grad is not None else np.zeros_like(found)
            self.assertLess(np.linalg.norm(found - expected), LIMIT * (np.linalg.norm(expected) + 1e-3), f"{name}: {one}")

    def test_the_page_has_each(self):
        with open(os.path.join(harness.ROOT, "docs", "ideas.md"), encoding="utf-8") as file:
            listed = re.findall(r"^\| \[(\w+)\]", file.read(), re.M)
        self.assertEqual(sorted(listed), list(FILES))


if __name__ == "__main__":
    harness.main(__name__)
