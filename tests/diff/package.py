#!/usr/bin/env python3
"""Every connection and option of the hyper-connections package and of the papers, one site each,
compiled and in PyTorch: the result, and the gradients of every parameter and of the input.
HCC_TEST_EVERYTHING=1 compares all configurations, else every fourth one of each group is.

Parameters are random and not symmetric, streams differ from each other, so that a transposed map or
a wrong stream shows. The twin computes in f64. Without PyTorch, einops or the package (here, or in
$HCC_TORCH_PYTHON) everything is skipped.
"""

import concurrent.futures
import math
import os
import sys
from ctypes import c_double

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from library import Model, build, harness

MISSING = harness.lacking("torch", "numpy", "einops", "hyper_connections")

if not MISSING:
    import numpy as np
    import torch

    import package_twins as twins
    from package_twins import Maps, Network

    torch.set_num_threads(1)

POSITIONS = 5
LIMITS = {True: (1e-10, 1e-10), False: (1e-5, 1e-4)}  # f64, f32: result, gradients
# A gradient whose share of the whole is smaller is judged against that share: all that is left of
# what cancels by construction (mixing one stream, a logit that a norm removes) is rounding.
VANISHING = {True: 1e-4, False: 2e-3}

SOURCE = """
/// Streams that differ from the start, and an end that sees each of them.
module spread(n) : x[d] -> H[n, d] {
  param S[n, d] ~ normal(1);
  let H[i,c] = S[i,c] * x[c];
}

module seen : H[n, d] -> x[d] {
  param R[n, d] ~ normal(1);
  probe H;
  let x[c] = sum[i] R[i,c] * H[i,c];
}

module weigh : H[n, d] -> x[d] {
  param R[n, d] ~ normal(1);
  let x[c] = sum[i] R[i,c] * H[i,c];
}

branch bend : x[d] -> y[d] {
  param W[d, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}

branch bend_to(out) : x[d] -> y[out] {
  param W[out, d] ~ normal(0.3);
  let y[c] = tanh(sum[a] W[c,a] * x[a]);
}

branch bend_views : x[v, d] -> y[d] {
  param W[d, v, d] ~ normal(0.3);
  let y[c] = tanh(sum[w,a] W[c,w,a] * x[w,a]);
}

fn damped(y, h) = 0.5 * y * y + h;

fn by_softmax(L[n, n], iters) -> M[n, n] {
  let M[k,j] = softmax[k] L[k,j];
}

model one {
  const d = %(d)d;
  positions t <= %(positions)d;
  param X[%(positions)d, d], G[%(positions)d, %(out)d] ~ normal(1);
  let x = embed(t, X), g = embed(t, G);
  let h = trunk(x) { a = %(connection)s : %(branch)s; };
  loss sum[c] g[c] * h[c];
}
"""


class Config:
    """A connection's text and its twin; f32: looked at in single precision, too."""

    def __init__(self, connection, d, twin, branch="bend", f32=False, out=0):
        self.connection, self.d, self.twin, self.branch = connection, d, twin, branch
        self.out = out or d  # the width at the end
        self.f32, self.name = f32, f"{connection}, d = {d}"

    def source(self):
        return SOURCE % {"d": self.d, "out": self.out, "positions": POSITIONS, "connection": self.connection,
                         "branch": self.branch}


def text(name, **arguments):
    def word(value):
        return str(value).lower() if isinstance(value, bool) else str(value)

    return f"{name}({', '.join(f'{k} = {word(v)}' for k, v in arguments.items())})"


APART = {"expand": "spread", "reduce": "weigh", "norm": "none"}


def config(name, n, d, site, layout, arguments, f32=False, **options):
    """A connection with streams, set apart unless `arguments` say how they begin and end."""
    arguments = {"n": n} | APART | arguments
    begin, end = (getattr(twins, arguments[k], twins.weigh) for k in ("expand", "reduce"))
    network = Network(site, n, d, begin=begin, end=end, norm=arguments["norm"], layout=layout, **options)
    branch = "bend" if options.get("views", 1) == 1 else "bend_views"
    return Config(text(name, **arguments), d, network, branch, f32)


def hyper_connections():
    """The class HyperConnections."""
    for n in (1, 2, 3, 4):
        for fracs in (1, 2, 3):
            for views in (1, 2) if n < 4 or fracs < 3 else (1,):
                for tanh in (True, False) if views == 1 else (n % 2 == 0,):
                    d = 6 if (n + fracs) % 2 else 6 + 6 * (n < 3)
                    site = twins.hyper(n, d, fracs, views, tanh=tanh, layer_index=n)
                    yield config("hyper_connections", n, d, site, "[n,T,d]",
                                 {"fracs": fracs, "views": views,
                                  "act": "tanh" if tanh else "none"}, views=views,
                                 f32=tanh and n == 3)
    for n, views in ((1, 3), (2, 3), (3, 4)):
        yield config("hyper_connections", n, 8, twins.hyper(n, 8, 2, views), "[n,T,d]",
                     {"fracs": 2, "views": views}, views=views)
    for n, fracs in ((2, 1), (3, 2)):
        site = twins.hyper(n, 8, fracs, add_branch_out_to_residual=False)
        yield config("hyper_connections", n, 8, site, "[n,T,d]", {"fracs": fracs, "depth": False},
                     writes=False)
        site = twins.hyper(n, 8, fracs, depth_residual_fn=lambda y, h: 0.5 * y * y + h)
        yield config("hyper_connections", n, 8, site, "[n,T,d]", {"fracs": fracs, "join": "damped"},
                     f32=True)


def ends_of_streams():
    """How streams begin and end, and norms with parameters where the branch and the end have one."""
    for n in (2, 3):
        for ends in ({"expand": "replicate"}, {"expand": "embed_streams"}, {"reduce": "sum_streams"},
                     {"reduce": "mean_streams"}, {"reduce": "pool_streams"},
                     {"reduce": "head_streams"},
                     {"expand": "embed_streams", "reduce": "pool_streams"}):
            yield config("dhc", n, 7, twins.dynamic(n, 7), "[n,T,d]", {"inner": "l2norm"} | ends,
                         f32=n == 2)
            yield config("shc", n, 5, Maps(twins.static_maps), "[T,n,d]", ends)
        for norm in ("rmsnorm", "layernorm", "l2norm", "rmsnorm_affine", "layernorm_affine"):
            yield config("dhc", n, 6, twins.dynamic(n, 6), "[n,T,d]",
                         {"inner": "l2norm", "norm": norm}, f32=n == 2)
    yield config("hyper_connections", 2, 6, twins.hyper(2, 6, views=2), "[n,T,d]",
                 {"views": 2, "norm": "layernorm_affine"}, views=2)
    yield config("mhc_v2", 3, 6, twins.manifold(3, 6), "[1,T,n,d]", {"norm": "rmsnorm_affine"})


def streams():
    """Static and dynamic hyper-connections: the papers' equations, the package, pictures."""
    for n in (1, 2, 3, 4, 6):
        for d in (5, 8):
            yield config("shc", n, d, Maps(twins.static_maps), "[T,n,d]", {}, f32=n == 4)
        for inner in ("rmsnorm", "layernorm"):
            act = (torch.tanh, "tanh") if n % 2 else (lambda x: x, "none")
            yield config("dhc", n, 7, Maps(twins.dynamic_maps(inner, act[0])), "[T,n,d]",
                         {"inner": inner, "act": act[1]}, f32=n == 3)
        for tanh in (True, False):
            yield config("dhc", n, 9, twins.dynamic(n, 9, tanh=tanh), "[n,T,d]",
                         {"inner": "l2norm", "act": "tanh" if tanh else "none"}, f32=n == 2)
            yield config("dhc", n, 4, twins.images(n, 4, tanh), "[n,d,T,1]",
                         {"inner": "l2norm", "act": "tanh" if tanh else "none"})


def fractions():
    for m, d in ((1, 5), (2, 6), (3, 6), (4, 8), (3, 12)):
        for arguments in ({}, {"inner": "layernorm"}, {"act": "none"}, {"dynamic": False}):
            act = (lambda x: x) if "act" in arguments else torch.tanh
            maps = twins.frac_maps("dynamic" not in arguments, arguments.get("inner", "rmsnorm"), act)
            network = Network(Maps(maps), m, d, begin=twins.cut, end=twins.join)
            inner = {} if "inner" in arguments else {"inner": "rmsnorm"}
            yield Config(text("frac", m=m, norm="none", **inner, **arguments), d, network,
                         f32=m == 3)
    for m, n, d in ((1, 1, 4), (1, 3, 5), (2, 2, 6), (2, 3, 6), (2, 4, 8), (3, 5, 9), (2, 6, 4)):
        for arguments in ({"inner": "rmsnorm"}, {"inner": "l2norm"}, {"dynamic": False}):
            maps = twins.ghc_maps("dynamic" not in arguments, arguments.get("inner"))
            network = Network(Maps(maps), n, d, begin=twins.widen, end=twins.narrow)
            yield Config(text("ghc", m=m, n=n, norm="none", **arguments), d, network, f32=m == 2)


def manifold():
    """mHC: the paper's order and DeepSeek-V4's, and the package's two classes."""
    for n in (1, 2, 3, 4):
        for iters in (1, 3, 20):
            for v4 in (False, True):
                yield config("mhc", n, 5, Maps(twins.manifold_maps(iters, v4)), "[T,n,d]",
                             {"iters": iters, "v4": v4}, f32=iters == 20)
        for arguments, options in (
                ({}, {}), ({"iters": 2}, {"sinkhorn_iters": 2}),
                ({"constraint": "sinkhorn_log"}, {"log_domain_sinkhorn": True}),
                ({"proposals": 3}, {"num_dynamic_alpha_proposals": 3})):
            yield config("mhc_v2", n, 6, twins.manifold(n, 6, first=True, **options), "[n,T,d]",
                         arguments)
    yield config("mhc", 3, 6, Maps(twins.manifold_maps()), "[T,n,d]",
                 {"reduce": "head_streams", "expand": "embed_streams"}, f32=True)
    for n in (1, 2, 3, 4):
        for fracs in (1, 2, 3) if n < 4 else (1, 2):
            for premix in (False, True):
                k = n + fracs
                arguments = {"fracs": fracs, "premix": premix, "iters": (0, 3, 20)[k % 3],
                             "proposals": 1 + (k + premix) % 2}
                options = {"mix_streams_before_norm": premix,
                           "sinkhorn_iters": arguments["iters"],
                           "num_dynamic_alpha_proposals": arguments["proposals"]}
                if k % 4 == 0:
                    arguments["constraint"] = "sinkhorn_log"
                    options["log_domain_sinkhorn"] = True
                yield config("mhc_v2", n, 6, twins.manifold(n, 6, fracs=fracs, **options),
                             "[1,T,n,d]", arguments, f32=n == 3)
    for n in (2, 3):
        site = twins.manifold(n, 6, depth_residual_fn=lambda y, h: 0.5 * y * y + h)
        yield config("mhc_v2", n, 6, site, "[1,T,n,d]", {"join": "damped"})
        site = twins.manifold(n, 6, residual_mix_constraint_fn=lambda L: L.softmax(-1))
        yield config("mhc_v2", n, 6, site, "[1,T,n,d]", {"constraint": "by_softmax"})
        for first in (False, True):
            site = twins.manifold(n, 6, first=first, add_branch_out_to_residual=False)
            yield config("mhc_v2", n, 6, site, "[n,T,d]" if first else "[1,T,n,d]",
                         {"depth": False}, writes=False)


def widths():
    """Maps of the streams to another width, beside the branch or before it."""
    for d, out in ((6, 6), (6, 9), (9, 4)):
        network = Network(twins.residual(d, out), 1, d, begin=twins.whole, end=twins.whole,
                          layout="[T,d]")
        yield Config(text("projection", norm="none"), d, network, f"bend_to({out})", d < out, out)
    for n, d, out, fracs in ((1, 6, 8, 1), (2, 6, 4, 1), (3, 5, 6, 2), (2, 8, 9, 3)):
        site = twins.transformed(n, d, out, fracs=fracs)
        c = config("mhc_v2", n, d, site, "[1,T,n,d]",
                   {"fracs": fracs, "transform": f"linear({out})", "width": out}, n == 3)
        c.out = out
        yield c


def relative(gap, size):
    return float(np.linalg.norm(gap) / max(np.linalg.norm(size), 1e-300))


class Compiled:
    """One configuration's library."""

    def __init__(self, path, config):
        self.config = config
        self.model = Model(path, samples=1, positions=POSITIONS)
        self.prefix = "trunk.a."

    def array(self, name, what="data"):
        p = self.model.parameters[name]
        return np.ctypeslib.as_array(getattr(p, what)).reshape(p.dims)

    def randomise(self):
        """Far from the initial values, of sizes at which every map matters."""
        draw = np.random.default_rng(11)
        self.model.init(3)
        for name in self.model.parameters:
            own, data = name.split(".")[-1], self.array(name)
            if own in ("sa", "sb", "sg", "sp", "sr", "ap", "aq", "ar", "a"):
                data[...] = 0.6 + 0.2 * draw.standard_normal(data.shape)
            elif own in ("X", "G", "S", "R"):
                data[...] = draw.standard_normal(data.shape)
            elif own.startswith("S"):
                data[...] = 1 + 0.3 * draw.standard_normal(data.shape)
            else:
                data[...] += 0.5 * draw.standard_normal(data.shape)

    def own(self, leaves):
        """The site's parameters, by their names in the connection's definition."""
        return {name[len(self.prefix):].removeprefix("hc."): leaf for name, leaf in leaves.items()
                if name.startswith(self.prefix)}

    def begins_otherwise(self):
        """Names of the package's parameters that this configuration begins with other values."""
        site = self.config.twin.site
        if not isinstance(site, twins.Site):
            return []
        self.model.init(3)
        made = site.parameters(self.own({name: torch.tensor(self.array(name))
                                         for name in self.model.parameters}))
        return [name for name, p in site.initial().items()
                if not torch.allclose(p, made[name], rtol=1e-6, atol=0)]  # theirs are f32

    def errors(self):
        """Relative errors of the result and of each gradient, by name."""
        self.randomise()
        self.model.forward()
        self.model.backward()
        leaves = {name: torch.tensor(self.array(name).astype(np.float64), requires_grad=True)
                  for name in self.model.parameters}
        h = self.config.twin(self.own(leaves), leaves["X"])
        ((h * leaves["G"]).sum() / POSITIONS).backward()
        result = h.detach().numpy()  # the gradient of G is the result, as the loss is linear in it
        forward = relative(self.array("G", "gradient") * POSITIONS - result, result)
        wanted = {name: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
                  for name, leaf in leaves.items()}
        floor = VANISHING[self.model.real is c_double] * math.sqrt(
            sum(np.sum(g * g) for name, g in wanted.items() if name != "G"))
        gradients = {name: float(np.linalg.norm(self.array(name, "gradient") - g) /
                                 max(np.linalg.norm(g), floor))
                     for name, g in wanted.items() if name != "G"}
        return forward, gradients


@harness.unittest.skipIf(MISSING, MISSING)
class Package(harness.TestCase):
    GROUPS = {"hyper_connections": hyper_connections, "ends of streams": ends_of_streams,
              "streams": streams, "fractions": fractions, "manifold": manifold,
              "widths": widths}

    def build(self, config, f64):
        name = f"m{id(config)}{'d' if f64 else 's'}"  # one thread writes while another one reads
        return build(self.path(f"{name}.so"), file=self.write(f"{name}.hc", config.source()),
                     f64=f64)

    def group(self, name):
        configs = harness.share(list(self.GROUPS[name]()), 4)
        jobs = [(c, f64) for c in configs for f64 in (True, False) if f64 or c.f32]
        worst = {True: [0, 0, ""], False: [0, 0, ""]}
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for (c, f64), path in zip(jobs, pool.map(lambda job: self.build(*job), jobs)):
                with self.subTest(c.name, f64=f64):
                    compiled = Compiled(path, c)
                    try:
                        if f64:
                            self.assertEqual(compiled.begins_otherwise(), [], c.name)
                        forward, gradients = compiled.errors()
                    finally:
                        compiled.model.close()
                    bad = {k: f"{v:.1e}" for k, v in gradients.items() if not v <= LIMITS[f64][1]}
                    self.assertLessEqual(forward, LIMITS[f64][0], c.name)
                    self.assertEqual(bad, {}, c.name)
                    w = worst[f64]
                    w[0] = max(w[0], forward)
                    if max(gradients.values()) > w[1]:
                        w[1:] = max(gradients.values()), c.name
        for f64, (forward, gradient, where) in worst.items():
            count = sum(f64 == job[1] for job in jobs)
            print(f"{name}, {'f64' if f64 else 'f32'}: {count} configurations, result "
                  f"{forward:.1e}, gradient {gradient:.1e} ({where})", flush=True)

    def test_dropout(self):
        """What is dropped shows in the streams; with the same mask the package gives the same."""
        rate, reduce = 0.3, {"dropout": 0.3, "reduce": "seen"}
        configs = [
            config("shc", 3, 6, Maps(twins.static_maps), "[T,n,d]", reduce),
            config("dhc", 3, 6, twins.dynamic(3, 6), "[n,T,d]", {"inner": "l2norm"} | reduce),
            config("mhc", 3, 6, Maps(twins.manifold_maps()), "[T,n,d]", reduce),
            config("hyper_connections", 3, 6, twins.hyper(3, 6, 2), "[n,T,d]",
                   {"fracs": 2} | reduce),
            config("mhc_v2", 3, 6, twins.manifold(3, 6), "[1,T,n,d]", reduce)]
        for c in configs:
            with self.subTest(c.name):
                compiled = Compiled(self.build(c, True), c)
                self.addCleanup(compiled.model.close)
                compiled.randomise()
                streams = []
                for training in (False, True):
                    compiled.model.training(training)
                    compiled.model.forward()
                    values, dims = compiled.model.output("trunk.a.hc.reduce.H")
                    streams.append(np.array(values).reshape(dims))  # [T, n, d]
                mask = streams[1] / streams[0]
                self.assertLess(np.abs(mask * (mask - 1 / (1 - rate))).max(), 1e-12)
                self.assertAlmostEqual((mask == 0).mean(), rate, delta=0.2)
                c.twin.mask = torch.tensor(mask)
                forward, gradients = compiled.errors()
                print(f"{c.name}: {(mask == 0).mean():.2f} dropped, result {forward:.1e}, "
                      f"gradient {max(gradients.values()):.1e}", flush=True)
                self.assertLess(forward, 1e-10)
                self.assertLess(max(gradients.values()), 1e-10)

    def test_count(self):
        count = len({c.name for f in self.GROUPS.values() for c in f()})
        print(f"{count} configurations")
        self.assertGreaterEqual(count, 200)


for key in Package.GROUPS if not MISSING else ():
    setattr(Package, f"test_{key.replace(' ', '_')}", lambda self, key=key: self.group(key))


if __name__ == "__main__":
    harness.main(__name__)
