"""Networks of one site in PyTorch: the hyper-connections package's own classes, and transcriptions
of the papers' equations for what the package does not have.

A twin is a function of leaves, by the compiled model's parameter names, and of x [T, d]; it gives
h [T, d]. Leaves have the compiled model's shapes: every tensor of the package is made from them, so
that the gradients of the leaves can be compared as they are. What is stored the other way round
over there (source first) is turned here.
"""

from __future__ import annotations

import contextlib
import math

import torch
import torch.nn.functional as F
from hyper_connections import hyper_connections as plain
from hyper_connections import hyper_connections_channel_first as channel_first
from hyper_connections import mHCv2 as v2
from hyper_connections import manifold_constrained_hyper_connections as v1
from torch import cat
from torch.func import functional_call


@contextlib.contextmanager
def wide_floats():
    """The package computes its maps in f32 whatever it is given; the truth is wanted in f64."""
    narrow = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.Tensor.float = narrow


class Site:
    """One connection of the package: parameters by its names, made from leaves."""

    def __init__(self, module, parameters):
        self.module, self.parameters = module.double(), parameters

    def initial(self):
        """Without those that its options hold: they begin at random."""
        return {name: p.detach() for name, p in self.module.named_parameters()
                if not name.startswith("residual_transform")}

    def __call__(self, leaves, streams, branch):
        made = self.parameters(leaves)
        expected = dict(self.module.named_parameters())
        if {k: v.shape for k, v in made.items()} != {k: v.shape for k, v in expected.items()}:
            raise AssertionError(f"{ {k: v.shape for k, v in made.items()} } against "
                                 f"{ {k: v.shape for k, v in expected.items()} }")
        self.module.branch = None

        class Whole(torch.nn.Module):
            def __init__(whole):
                super().__init__()
                whole.site = self.module

            def forward(whole, streams):
                x, write = whole.site(streams)
                return write(branch(x))

        with wide_floats():
            return functional_call(Whole(), {f"site.{k}": v for k, v in made.items()}, streams)


# --- the package's classes ----------------------------------------------------------------------


def hyper(n, d, fracs=1, views=1, **options):
    """HyperConnections; columns of its static_alpha are (fraction, view or stream)."""
    module = plain.HyperConnections(n, dim=d, num_fracs=fracs, num_input_views=views,
                                    **{"layer_index": 0} | options)

    def parameters(p):
        e = d // fracs
        alpha = cat((p["Am"].permute(2, 3, 1, 0), p["Ar"].permute(2, 3, 0, 1)), -1)
        dynamic = cat((p["Wm"].permute(2, 1, 0), p["Wr"].permute(2, 0, 1)), -1)
        made = {"norm.gamma": p["inner.gamma"],
                "static_alpha": alpha.reshape(n * fracs, -1),
                "dynamic_alpha_fn": dynamic.reshape(e, -1),
                "dynamic_alpha_scale": p["sa"]}
        if module.add_branch_out_to_residual:
            made |= {"static_beta": p["B"].reshape(-1),
                     "dynamic_beta_fn": p["Wb"].T if fracs > 1 else p["Wb"][0],
                     "dynamic_beta_scale": p["sb"]}
        return made

    return Site(module, parameters)


def one_fraction(p):
    """The parameters of dhc in the shapes of hyper_connections."""
    n = p["Am"].shape[0]
    return p | {"Am": p["Am"].reshape(1, 1, 1, n), "Ar": p["Ar"].reshape(1, n, 1, n),
                "B": p["B"].reshape(n, 1), "Wm": p["Wm"].reshape(1, 1, -1),
                "Wr": p["Wr"].reshape(1, n, -1), "Wb": p["Wb"].reshape(1, -1)}


def dynamic(n, d, **options):
    """The same for dhc with the package's norm."""
    site = hyper(n, d, **options)
    make = site.parameters
    site.parameters = lambda p: make(one_fraction(p))
    return site


def images(n, d, tanh=True, layer_index=0):
    """The class that has its features in front of rows and columns."""
    module = channel_first.HyperConnections(n, dim=d, tanh=tanh, layer_index=layer_index)

    def parameters(p):
        return {"norm.gamma": p["inner.gamma"][:, None, None],
                "static_alpha": cat((p["Am"][:, None], p["Ar"].T), 1),
                "dynamic_alpha_fn.weight": cat((p["Wm"][None], p["Wr"]))[:, :, None, None],
                "dynamic_alpha_scale": p["sa"],
                "static_beta": p["B"],
                "dynamic_beta_fn.0.weight": p["Wb"][None, :, None, None],
                "dynamic_beta_scale": p["sb"]}

    return Site(module, parameters)


def manifold(n, d, first=False, fracs=1, **options):
    """mHCv2, or the class before it (`first`); rows are sources, columns reads, then destinations."""
    package = v1 if first else v2
    module = package.ManifoldConstrainedHyperConnections(n, dim=d, num_fracs=fracs, layer_index=0,
                                                         **options)

    def parameters(p):
        made = {"norm.gamma": p["inner.gamma"],
                "static_alpha": cat((p["Am"].T, p["Ar"].T), 1),
                "dynamic_alpha_fn": cat((p["Wm"].transpose(1, 2), p["Wr"].transpose(1, 2)), 2),
                "pre_branch_scale": p["sp"][None],
                "residual_scale": p["sr"][None]}
        if module.add_branch_out_to_residual:
            made |= {"static_beta": p["B"].reshape(n) if first else p["B"][..., None],
                     "dynamic_beta_fn": p["Wb"][0] if first else p["Wb"].T,
                     "h_post_scale": p["sb"]}
        if "P" in p:
            made["maybe_mix_streams.weight"] = p["P"][..., None, None]
        return made

    return Site(module, parameters)


def transformed(n, d, out, **options):
    """The last class after a map of every stream to another width."""
    site = manifold(n, out, residual_transform=torch.nn.Linear(d, out, bias=False), **options)
    make = site.parameters
    site.parameters = lambda p: make(p) | {"residual_transform.weight": p["transform.W"]}
    return site


def residual(d, out):
    """Residual, with a map beside the branch where the width changes."""
    same = d == out
    module = plain.Residual(
        residual_transform=None if same else torch.nn.Linear(d, out, bias=False))
    return Site(module, lambda p: {} if same else {"residual_transform.weight": p["r.W"]})


# --- transcriptions -----------------------------------------------------------------------------


def l2norm(x, gamma):
    return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * (1 + gamma)


def rmsnorm(x, eps=1e-6):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


NORMS = {
    "none": lambda x, p, at: x,
    "rmsnorm": lambda x, p, at: rmsnorm(x),
    "layernorm": lambda x, p, at: F.layer_norm(x, x.shape[-1:]),
    "l2norm": lambda x, p, at: l2norm(x, p[f"{at}.gamma"]),
    "rmsnorm_affine": lambda x, p, at: F.rms_norm(x, x.shape[-1:], p[f"{at}.gain"], 1e-6),
    "layernorm_affine":
        lambda x, p, at: F.layer_norm(x, x.shape[-1:], p[f"{at}.gain"], p[f"{at}.bias"]),
}


class Maps:
    """A connection by its maps: read [reads, slots], carry [slots, slots], write [slots, writes],
    each a tensor of the leaves and the state [T, slots, width]."""

    def __init__(self, maps):
        self.maps = maps

    def __call__(self, p, H, branch):
        read, carry, write = self.maps(p, H)
        width = H.shape[-1]
        u = torch.matmul(read, H).flatten(-2)
        y = branch(u)
        parts = y.unflatten(-1, (-1, width))
        return torch.matmul(carry, H) + torch.matmul(write, parts)


def static_maps(p, H):
    return p["Am"][None], p["Ar"], p["B"][:, None]


def dynamic_maps(inner="rmsnorm", act=torch.tanh):
    def maps(p, H):
        N = NORMS[inner](H, p, "inner")
        read = p["Am"] + p["sa"] * act(N @ p["Wm"])
        carry = p["Ar"] + p["sa"] * act(N @ p["Wr"].T).transpose(-1, -2)
        write = p["B"] + p["sb"] * act(N @ p["Wb"])
        return read[..., None, :], carry, write[..., None]

    return maps


def frac_maps(dynamic=True, inner="rmsnorm", act=torch.tanh):
    def maps(p, H):
        Y, A, B = p["Y"], p["A"], p["B"]
        if dynamic:
            N = NORMS[inner](H, p, "inner")
            Y = Y + p["sg"] * act(N @ p["Wy"].T).transpose(-1, -2)
            A = A + p["sg"] * act(N @ p["Wa"].T).transpose(-1, -2)
            B = B + p["sb"] * act(N @ p["Wb"])
        return Y, A, torch.diag_embed(B)

    return maps


def ghc_maps(dynamic=True, inner="rmsnorm"):
    def maps(p, H):
        Y, A, B = p["Y"], p["A"], p["B"]
        if dynamic:
            N = NORMS[inner](H, p, "inner")
            t = math.sqrt(H.shape[-1])
            Y = Y + p["SY"] * torch.tanh(N @ p["WY"].T / t).transpose(-1, -2)
            A = A + p["SA"] * torch.tanh(N @ p["WA"].T / t).transpose(-1, -2)
            B = B + p["SB"] * torch.tanh(N @ p["WB"].T / t)
        return Y, A, B

    return maps


def sinkhorn(L, iters):
    """Sources first, destinations last, on [..., destination, source]."""
    M = torch.exp(L - L.detach().amax((-1, -2), keepdim=True))
    for _ in range(iters):
        M = M / M.sum(-2, keepdim=True)
        M = M / M.sum(-1, keepdim=True)
    return M


def sinkhorn_v4(L, iters):
    M = torch.softmax(L, -2) + 1e-6
    M = M / (M.sum(-1, keepdim=True) + 1e-6)
    for _ in range(iters - 1):
        M = M / (M.sum(-2, keepdim=True) + 1e-6)
        M = M / (M.sum(-1, keepdim=True) + 1e-6)
    return M


def manifold_maps(iters=20, v4=False):
    def maps(p, H):
        n = H.shape[-2]
        x = H.flatten(-2)
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
        logits = p["ar"] * (x @ p["R"].reshape(n * n, -1).T).unflatten(-1, (n, n)) + p["br"]
        read = torch.sigmoid(p["ap"] * (x @ p["P"].reshape(n, -1).T) + p["bp"])
        write = 2 * torch.sigmoid(p["aq"] * (x @ p["Q"].reshape(n, -1).T) + p["bq"])
        if v4:
            return (read + 1e-6)[..., None, :], sinkhorn_v4(logits, iters), write[..., None]
        return read[..., None, :], sinkhorn(logits, iters), write[..., None]

    return maps


# --- how streams begin and end ------------------------------------------------------------------


def whole(p, x, n):
    return x


def spread(p, x, n):
    return p["expand.S"] * x[..., None, :]


def replicate(p, x, n):
    expand, _ = v2.get_expand_reduce_stream_functions(n)
    return expand(x)


def embed_streams(p, x, n):
    embed = v2.StreamEmbed(n, x.shape[-1], expand_to_streams=True)
    return functional_call(embed, {"stream_embed": p["expand.E"]}, x)


def cut(p, x, n):
    return x.unflatten(-1, (n, -1))


def widen(p, x, n):
    return torch.einsum("jac,...c->...ja", p["expand.W"], x)


def weigh(p, H, d):
    return (p["reduce.R"] * H).sum(-2)


def sum_streams(p, H, d):
    _, reduce = v2.get_expand_reduce_stream_functions(H.shape[-2])
    return reduce(H)


def mean_streams(p, H, d):
    return H.mean(-2)


def pool_streams(p, H, d):
    return functional_call(v2.AttentionPoolReduceStream(H.shape[-1]),
                           {"to_attn_logits.weight": p["reduce.W"]}, H)


def head_streams(p, H, d):
    n = H.shape[-2]
    x = H.flatten(-2)
    z = (x @ p["reduce.P"].reshape(n, -1).T) * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
    g = torch.sigmoid(p["reduce.a"] * z + p["reduce.b"]) + 1e-6
    return (g[..., None] * H).sum(-2)


def join(p, H, d):
    return H.flatten(-2)


def narrow(p, H, d):
    n, e = H.shape[-2:]
    if (n * e) % d == 0:
        H = rmsnorm(H.flatten(-2).unflatten(-1, (-1, d))).flatten(-2).unflatten(-1, (n, e))
    return torch.einsum("cja,...ja->...c", p["reduce.W"], H)


# --- the whole network --------------------------------------------------------------------------


class Network:
    """begin, one site, end; `layout` says how the site wants its streams."""

    mask = None  # what dropout multiplied the streams by

    def __init__(self, site, n, d, begin=spread, end=weigh, norm="none", views=1,
                 layout="[T,n,d]", writes=True):
        self.site, self.n, self.d, self.views = site, n, d, views
        self.begin, self.end, self.norm = begin, end, norm
        self.layout, self.writes = layout, writes

    def branch(self, p, u):
        """u [T, d], or [views, T, d]; the norm of the read stands before it."""
        if self.views == 1:
            u = NORMS[self.norm](u, p, "norm")
            return torch.tanh(u @ p["W"].T)
        u = NORMS[self.norm](u, p, "norm")
        return torch.tanh(torch.einsum("cvk,vtk->tc", p["W"], u))

    def __call__(self, p, x):
        H = self.begin(p, x, self.n)
        if self.layout == "[n,T,d]":  # streams in the batch
            def branch(u):
                return self.branch(p, u.squeeze(-3)).unsqueeze(0)

            H = self.site(p, H.transpose(0, 1), branch)
            H = H.transpose(0, 1) if self.writes else H.squeeze(0)
        elif self.layout == "[n,d,T,1]":  # streams in the batch, features in front of a picture
            def branch(u):
                return self.branch(p, u[0, :, :, 0].T).T[None, :, :, None]

            H = self.site(p, H.permute(1, 2, 0)[..., None], branch)[..., 0].permute(2, 0, 1)
        elif self.layout == "[1,T,n,d]":
            H = self.site(p, H[None], lambda u: self.branch(p, u[0])[None])[0]
        else:
            H = self.site(p, H, lambda u: self.branch(p, u))
        if not self.writes:
            return H
        if self.mask is not None:
            H = H * self.mask
        return NORMS[self.norm](self.end(p, H, self.d), p, "end")
