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


def attends(p, keys=None, **how):
    """Attention whose keys and values are made of what it is given, or of another value."""
    def run(x):
        q = torch.einsum("had,std->shta", p["Wq"], x)
        k, v = (torch.einsum("had,std->shta", p[f"W{w}"], x if keys is None else keys) for w in "kv")
        return torch.einsum("dha,shta->std", p["Wo"], F.scaled_dot_product_attention(q, k, v, **how))
    return run


def attention(p):
    return attends(p, is_causal=True)


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


def shc(streams, branch, p):
    """Static hyper-connections, given how much of the branch's result they get."""
    read = rmsnorm(sum(p["Am"][i] * h for i, h in enumerate(streams)))
    y = branch(read)
    return [sum(p["Ar"][k, j] * h for j, h in enumerate(streams)) + p["B"][k] * y for k in range(len(streams))]


def gated(streams, branches, p, at):
    def opened_by(x):
        return torch.sigmoid((x @ p["g"]) + p["b"])[..., None] * branches[0](x)
    return shc(streams, opened_by, of(p, "inner"))


def damped(streams, branches, p, at):
    new = gated(streams, branches, of(p, "inner"), at)
    return [old + torch.sigmoid(p["s"]) * (one - old) for old, one in zip(streams, new)]


def memory(state, branches, p, at):
    h, K = state
    y = branches[0](rmsnorm(h + p["R"][0] * K[0] + p["R"][1] * K[1]))
    return h + y, [0.9 * K[i] + p["W"][i] * y for i in range(2)]


def beside_memory(state, branches, p, at):
    return residual(state[0], branches, p, at), state[1]


def in_pairs(streams, branches, p, at):
    y = branches[0](rmsnorm(mean_of(streams)))
    A = at["shared"][f"trunk.in_pairs.{at['block'] // 2}.A"]
    return [A[k, 0] * streams[0] + A[k, 1] * streams[1] + y for k in range(2)]


def pools(parameters, tokens):
    """The hourglass: three trunks of two sites, the middle one over every fourth position."""
    def sites(name, h):
        for site, branch in (("attn", attention), ("mlp", mlp)):
            h = residual(h, [branch(of(parameters, f"{name}.{site}"))], {}, {})
        return rmsnorm(h)
    f = sites("f", parameters["E"][tokens])
    pooled = (POSITIONS + 3) // 4
    whole = F.pad(f, (0, 0, 3, 4 * pooled))
    p = sum(whole[:, k:k + 4 * pooled:4] @ parameters["P"][k].T for k in range(4))
    u = f + sites("g", p)[:, [t // 4 for t in range(POSITIONS)]]
    return sites("h", u) @ parameters["E"].T


def chooses(parameters, tokens, before):
    """Encoder with layers for the highest scores alone, and a decoder that attends to it."""
    def add(name, x, branch):
        return residual(x, [branch(of(parameters, name))], {}, {})
    v = add("v.attn", parameters["E"][before], attends)
    v = rmsnorm(add("v.mlp", v, mlp))
    score = torch.sigmoid(v @ parameters["w"])
    best = torch.argsort(score, dim=1, descending=True, stable=True)[:, :8]
    g = add("g.attn", torch.gather(v, 1, best[..., None].expand(-1, -1, v.shape[-1])), attends)
    g = rmsnorm(add("g.mlp", g, mlp))
    back = torch.zeros_like(v).scatter(1, best[..., None].expand_as(g), g)
    m = v + score[..., None] * back
    h = add("h.attn", parameters["E"][tokens], attention)
    h = add("h.cross", h, lambda p: attends(p, m))
    return rmsnorm(add("h.mlp", h, mlp)) @ parameters["E"].T


def alibi_bias(heads):
    distance = torch.arange(POSITIONS)[:, None] - torch.arange(POSITIONS)[None, :]
    rates = torch.tensor([-2.0 ** (-8 * (h + 1) / heads) for h in range(heads)], dtype=torch.float64)
    return (rates[:, None, None] * distance).masked_fill(distance < 0, -torch.inf)


def mean_of(streams):
    return 0.5 * (streams[0] + streams[1])


BRANCHES = {"attention": attention, "mlp": mlp, "asking": asking, "min_gru": min_gru, "spherical": spherical}
#: How states of several begin, and what is read of them in the end, by the first site's connection, or the model.
BEGINS = {"reversible": lambda x: (x, x), "token_shift": lambda x: (x, x), "rotation": lambda x: (x, x),
          "in_pairs": lambda x: [x, x], "gated": lambda x: 4 * [x], "memory": lambda x: (x, 2 * [0 * x])}
ENDS = {"reversible": mean_of, "token_shift": mean_of, "rotation": mean_of, "in_pairs": mean_of, "gated": sum}
NOT_TRAINING = {"skipped"}

def of(parameters, path):
    return {name[len(path) + 1:]: value for name, value in parameters.items() if name.startswith(path + ".")}


def network(manifest, parameters, tokens):
    """Logits of a file's model, site by site of the manifest's list; and the states before each site."""
    e, sites = parameters["E"][tokens], manifest["sites"]
    kind = manifest["model"] if manifest["model"] in BEGINS else sites[0]["connection"]
    h, before = BEGINS.get(kind, lambda x: x)(e), {}
    for k, site in enumerate(sites):
        mine = of(parameters, site["path"])
        several = [name for name in dict.fromkeys(one.split(".")[0] for one in mine) if name in BRANCHES]
        known = {**BRANCHES, "attention": lambda p: attends(p, attn_mask=alibi_bias(4))} if manifest["model"] == "alibi" else BRANCHES
        branches = [known[name](of(mine, name)) for name in several] or [known[site["branch"]](mine)]
        at = {"block": site["block"], "site": k, "sites": len(sites), "shared": parameters}
        connection = site["connection"]
        if kind == "memory" and connection == "residual":
            connection = "beside_memory"
        before[site["path"]] = h
        h = globals()[connection](h, branches, of(mine, "hc"), at)
    before["end"] = h
    if kind == "memory":
        last = of(parameters, sites[-1]["path"] + ".hc")
        h = h[0] + last["R"][0] * h[1][0] + last["R"][1] * h[1][1]
    return rmsnorm(ENDS.get(kind, lambda h: h)(h)) @ parameters["E"].T, before


def loss_of(manifest, parameters, tokens, wanted, before):
    def cross_entropy(logits):
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
    if manifest["model"] == "chosen":
        return cross_entropy(chooses(parameters, tokens, before))
    if manifest["model"] == "hourglass":
        return cross_entropy(pools(parameters, tokens))
    logits, before = network(manifest, parameters, tokens)
    loss = cross_entropy(logits)
    if manifest["model"] == "deep_supervision":
        loss = loss + 0.3 * cross_entropy(rmsnorm(before["trunk.1.attn"]) @ parameters["E"].T)
        loss = loss + 0.01 * ((before["end"] - before["trunk.1.mlp"]) ** 2).mean()
    return loss


class Ideas(harness.TestCase):
    @harness.unittest.skipIf(MISSING, MISSING)
    def test_each_in_pytorch(self):
        for name in harness.share(tuple(FILES), 2):
            with self.subTest(name):
                self.compare(name, FILES[name])

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
        before = draw.integers(0, 256, (SAMPLES, 32))
        if name == "chosen":
            model.set_input("before", before.flatten().tolist())
        loss = loss_of(model.manifest, parameters, *map(torch.tensor, (tokens, wanted, before)))
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
