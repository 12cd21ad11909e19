#!/usr/bin/env python3
"""Gated residuals and streams for branches with several inputs or of several: one site each, compiled
and as the hyper-connections package has it. The result, and the gradients of every parameter and of
what the trunk is given.

Parameters are random and not symmetric, streams differ from each other. The package computes in
f64. Without PyTorch, einops or the package (here, or in $HCC_TORCH_PYTHON) everything is skipped.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy", "einops", "hyper_connections")

if not MISSING:
    import numpy as np
    import torch
    from hyper_connections import hyper_connections_with_multi_branch_inputs as several
    from hyper_connections import hyper_connections_with_multi_input_streams as inputs
    from hyper_connections import residuals
    from torch.func import functional_call

    torch.set_num_threads(1)

POSITIONS = 5
LIMITS = {True: (1e-10, 1e-10), False: (1e-5, 1e-4)}  # f64, f32: result, gradients
# Of the whole gradient's norm: what is smaller is a sum whose terms cancel, of which f32 keeps as
# much as it keeps of the terms.
VANISHING = {True: 0, False: 2e-3}

SOURCE = """
/// Streams that differ from the start, and an end that sees each of them.
module spread(n) : x[d] -> H[n, d] {
  param S[n, d] ~ normal(1);
  let H[i,c] = S[i,c] * x[c];
}
module weigh : H[n, d] -> x[d] {
  param R[n, d] ~ normal(1);
  let x[c] = sum[i] R[i,c] * H[i,c];
}
branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}
branch bend_both : x[d], z[e] -> y[d] {
  param W[d, d], V[d, e] ~ normal(0.3);
  let y[c] = tanh((sum[a] W[c,a] * x[a]) + sum[a] V[c,a] * z[a]);
}
model one {
  const d = %(d)d, n = %(n)d;
  positions t <= %(positions)d;
  param X[%(positions)d, d], G[%(positions)d, d] ~ normal(1);
  param ZX[%(positions)d, %(e)d] ~ normal(1);
  let x = embed(t, X), g = embed(t, G), zx = embed(t, ZX);
  let Z = spread(zx, n);
  let h = trunk(x) { a = %(site)s; };
  loss sum[c] g[c] * h[c];
}
"""


def linear(W, x):
    return torch.tanh(x @ W.T)


class Site:
    """A site's text, and what it computes from parameters by name and x [T, d]."""

    def __init__(self, text, twin, d, n=1, e=3, initial=None):
        self.text, self.twin, self.initial = text, twin, initial
        self.numbers = {"d": d, "n": n, "e": e, "positions": POSITIONS, "site": text}


def update(text, module, parameters, d, scaled):
    """A residual with a module that joins the branch's result and the stream."""
    module = module.double()

    def twin(p, x):
        y = linear(p["trunk.a.W"], x)
        return functional_call(module, parameters(p), (y[None], x[None]))[0]

    def initial(p):
        """As the package's: uniform, up to the same bound."""
        for name, size in scaled.items():
            values = np.abs(p[name])
            assert size * 0.6 < values.max() <= size, (name, values.max(), size)

    return Site(text, twin, d, initial=initial)


def residual_updates():
    def gate(p):
        W = p["trunk.a.hc.gate.W"]
        return {"to_learned_mix.weight": W.reshape(len(W), -1),
                "to_learned_mix.bias": p["trunk.a.hc.gate.b"]}

    def gru(p):
        p = {k: p[f"trunk.a.hc.gru.{k}"] for k in "WUbc"}
        return {"gru.weight_ih": p["W"].flatten(0, 1), "gru.weight_hh": p["U"].flatten(0, 1),
                "gru.bias_ih": p["b"].flatten(), "gru.bias_hh": p["c"].flatten()}

    for d in (4, 7):
        for fine in (False, True):
            yield update(f"gated_residual(fine = {str(fine).lower()}, norm = none) : bend",
                         residuals.GatedResidual(d, fine_gate=fine), gate, d,
                         {"trunk.a.hc.gate.W": (2 * d) ** -0.5})
        yield update("gru_residual(norm = none) : bend", residuals.GRUGatedResidual(d), gru, d,
                     {f"trunk.a.hc.gru.{k}": d ** -0.5 for k in "WUbc"})
        yield update("orthogonal_residual(norm = none) : bend",
                     residuals.OrthogonalResidualUpdate(), lambda p: {}, d, {})
        yield update("mv_split_residual(causal = false, norm = none) : bend",
                     residuals.MVSplitResidualUpdate(d),
                     lambda p: {"alpha": p["trunk.a.hc.split.a"], "beta": p["trunk.a.hc.split.b"]},
                     d, {})


APART = "expand = spread, reduce = weigh, norm = none"


def streamed(text, module, parameters, d, n, branch, e=3, extra=False):
    """A connection of n streams: begun by S, read out by R."""
    module = module.double()

    def twin(p, x):
        def own(name):
            return p[f"trunk.a.hc.{name}"]

        streams = own("expand.S")[:, None] * x  # [n, T, d]
        given = ()
        if extra:
            given = (p["Z.S"][:, None] * p["ZX"],)
        made = parameters(own)
        assert {k: v.shape for k, v in made.items()} == \
            {k: v.shape for k, v in dict(module.named_parameters()).items()}

        class Whole(torch.nn.Module):
            def __init__(whole):
                super().__init__()
                whole.site = module

            def forward(whole, streams, *given):
                read, write = whole.site(streams, *given)
                return write(branch(p, read))

        after = functional_call(Whole(), {f"site.{k}": v for k, v in made.items()},
                                (streams, *given))
        return (own("reduce.R")[:, None] * after).sum(0)

    def initial(p):
        made = parameters(lambda name: torch.tensor(p[f"trunk.a.hc.{name}"]))
        for name, value in module.named_parameters():
            assert torch.allclose(value.detach(), made[name], rtol=1e-6, atol=0), name

    return Site(text, twin, d, n, e, initial)


def second_inputs():
    """Of another width, mixed from streams of its own."""
    def parameters(own):
        return {"norm.gamma": own("own.gamma"),
                "static_alpha": torch.cat([own("Am")[:, None], own("Ar").T], 1),
                "static_beta": own("B"),
                "dynamic_alpha_and_branch_input.proj.weight":
                    torch.cat([own("Wm")[None], own("Wr")]),
                "dynamic_alpha_and_branch_input.scale": own("sa"),
                "dynamic_beta.proj.weight": own("Wb")[None], "dynamic_beta.scale": own("sb"),
                "additional_norms.0.gamma": own("other.gamma"),
                "additional_to_dynamic_input.0.proj.weight": own("Wz")[None],
                "additional_to_dynamic_input.0.scale": own("sz"),
                "additional_static_input.0": own("Az")}

    def branch(p, read):
        (x, z), _ = read
        return torch.tanh(x @ p["trunk.a.W"].T + z @ p["trunk.a.V"].T)

    for n in (1, 2, 3, 4):
        for e in (3, 6):
            for tanh in (True, False):
                act = "" if tanh else "act = none, "
                module = inputs.HyperConnections(n, dim=6, layer_index=n + 1, tanh=tanh,
                                                 additional_input_paths=[(1, e)])
                yield streamed(f"hyper_connections_inputs(Z, {act}start = {n + 1}, {APART}) "
                               ": bend_both", module, parameters, 6, n, branch, e, extra=True)


def several_branches():
    def parameters(own):
        return {"norm.gamma": own("inner.gamma"),
                "static_alpha": torch.cat([own("Am").T, own("Ar").T], 1),
                "static_beta": own("B").T,
                "dynamic_alpha_fn": torch.cat([own("Wm").T, own("Wr").T], 1),
                "dynamic_alpha_scale": own("sa"), "dynamic_beta_fn": own("Wb").T,
                "dynamic_beta_scale": own("sb")}

    for n in (1, 2, 3, 4):
        for count in (1, 2, 3):
            for start in (1, n + 2):
                tanh = (n + count) % 2 == 0
                names = [f"trunk.a.bend_{k}.W" for k in range(count)] if count > 1 else ["trunk.a.W"]

                def branch(p, read, names=names):
                    return torch.cat([linear(p[name], x[None])
                                      for name, x in zip(names, read)])

                module = several.HyperConnections(n, dim=5, layer_index=start, tanh=tanh,
                                                  num_branch_inputs=count)
                act = "" if tanh else "act = none, "
                yield streamed(f"hyper_connections_branches({act}start = {start}, {APART}) : "
                               + " & ".join(["bend"] * count), module, parameters, 5, n, branch)


@harness.unittest.skipIf(MISSING, MISSING)
class Residuals(harness.TestCase):
    def compare(self, site, f64):
        name = f"m{len(os.listdir(self.folder))}"
        file = self.write(f"{name}.hc", SOURCE % site.numbers)
        path = build(self.path(f"{name}.so"), file=file, f64=f64)
        with Model(path, samples=1, positions=POSITIONS) as model:
            def array(name, what="data"):
                p = model.parameters[name]
                return np.ctypeslib.as_array(getattr(p, what)).reshape(p.dims)

            model.init(3)
            if site.initial and f64:
                site.initial({name: array(name) for name in model.parameters})
            draw = np.random.default_rng(11)
            for name in model.parameters:
                data = array(name)
                scale = name.split(".")[-1] in ("sa", "sb", "sz")
                data[...] += (0.6 if scale else 0) + 0.5 * draw.standard_normal(data.shape)
            model.forward()
            model.backward()
            leaves = {name: torch.tensor(array(name).astype(np.float64), requires_grad=True)
                      for name in model.parameters}
            h = site.twin(leaves, leaves["X"])
            ((h * leaves["G"]).sum() / POSITIONS).backward()
            wanted = {name: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
                      for name, leaf in leaves.items()}
            floor = VANISHING[f64] * np.sqrt(sum(np.sum(g * g) for name, g in wanted.items()
                                                 if name != "G"))
            gaps = {}
            for name, g in wanted.items():
                size = max(np.linalg.norm(g), floor)
                gap = np.linalg.norm(array(name, "gradient") - g)
                if size > 0 or gap > 0:  # of G it is the result itself
                    gaps[name] = float(gap / size) if size else float("inf")
        result, gradient = gaps.pop("G"), max(gaps.values())
        self.assertLessEqual(result, LIMITS[f64][0], site.text)
        self.assertLessEqual(gradient, LIMITS[f64][1], (site.text, gaps))
        return result, gradient

    def group(self, sites):
        for f64 in (True, False):
            errors = []
            for k, site in enumerate(sites):
                if f64 or k % 4 == 3:
                    with self.subTest(site.text, f64=f64):
                        errors.append(self.compare(site, f64))
            print(f"{'f64' if f64 else 'f32'}: {len(errors)} sites, result "
                  f"{max(e[0] for e in errors):.1e}, gradient {max(e[1] for e in errors):.1e}")

    def test_residual_updates(self):
        self.group(list(residual_updates()))

    def test_second_inputs(self):
        self.group(list(second_inputs()))

    def test_several_branches(self):
        self.group(list(several_branches()))


if __name__ == "__main__":
    harness.main(__name__)
