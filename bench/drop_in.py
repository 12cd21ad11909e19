#!/usr/bin/env python3
"""The package hyper-connections in a PyTorch loop, and the same loop with the import changed.

    HCC_LIBRARY=build/libhcc.so PYTHON bench/drop_in.py [--wirings hc,mhc,frac] [--rounds 10]

A causal transformer whose every branch stands at a site. Contestants: the package and
hcc.hyper_connections, each eager and under torch.compile. They begin at the same weights and take the same
batches; in a round each takes a step (forward, backward, AdamW), in an order that turns. A ratio is
the median of the rounds' ratios, eager to eager and compiled to compiled, as who changes the import
has them; so is that of the processor's time, which others' load changes less.
Prints one JSON object a wiring.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "python"))
import torch
import torch.nn.functional as F
from torch import nn

VOCAB = 256
#: Module of the package, streams, further arguments; n is --n.
WIRINGS = {
    "hc": ("hyper_connections.hyper_connections", "n", {}),
    "mhc": ("hyper_connections.manifold_constrained_hyper_connections", "n", {}),
    "mhc_v2": ("hyper_connections.mHCv2", "n", {}),
    "frac": ("hyper_connections.hyper_connections", 1, {"num_fracs": "n"}),
}


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.out = nn.LayerNorm(d), nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2))


class Loop(nn.Module):
    def __init__(self, wiring, ours, o):
        super().__init__()
        name, streams, options = WIRINGS[wiring]
        module = importlib.import_module(("hcc." if ours else "") + name)
        options = {key: o.n if value == "n" else value for key, value in options.items()}
        make, self.expand, self.reduce = module.get_init_and_expand_reduce_stream_functions(
            o.n if streams == "n" else streams, dim=o.d, **options)
        self.embed, self.place = nn.Embedding(VOCAB, o.d), nn.Parameter(0.02 * torch.randn(o.context, o.d))
        branches = [one for _ in range(o.layers) for one in (
            Attention(o.d, o.heads),
            nn.Sequential(nn.LayerNorm(o.d), nn.Linear(o.d, 4 * o.d), nn.GELU(), nn.Linear(4 * o.d, o.d)))]
        self.sites = nn.ModuleList(make(branch=branch, layer_index=k) for k, branch in enumerate(branches))
        self.norm = nn.LayerNorm(o.d)

    def forward(self, tokens):
        h = self.expand(self.embed(tokens) + self.place[:tokens.shape[1]])
        for site in self.sites:
            h = site(h)
        return F.linear(self.norm(self.reduce(h)), self.embed.weight)


def step(model, optimizer, tokens):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


def measure(wiring, o):
    torch.manual_seed(1)
    peer = Loop(wiring, False, o)
    models = {"package": peer, "hcc": Loop(wiring, True, o)}
    if not o.eager:
        models |= {"package, compiled": Loop(wiring, False, o), "hcc, compiled": Loop(wiring, True, o)}
    for model in models.values():
        model.load_state_dict(peer.state_dict())
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True) for name, model in models.items()}
    models = {name: torch.compile(model, fullgraph=True) if "compiled" in name else model for name, model in models.items()}
    names, pairs = list(models), [("package", "hcc")]
    if not o.eager:
        pairs += [("package, compiled", "hcc, compiled"), ("package, compiled", "hcc")]
    seconds, busy, losses = ({name: [] for name in names} for _ in range(3))
    for k in range(o.warm_up + o.rounds):
        tokens = torch.randint(VOCAB, (o.batch, o.context + 1))
        turn = k % len(names)
        for name in names[turn:] + names[:turn]:
            begun, worked = time.perf_counter(), time.process_time()
            losses[name].append(step(models[name], optimizers[name], tokens))
            seconds[name].append(time.perf_counter() - begun)
            busy[name].append(time.process_time() - worked)
            if k == 0:
                print(f"{wiring}, {name}: first step in {seconds[name][0]:.1f} s", file=sys.stderr, flush=True)
    taken = range(o.warm_up, o.warm_up + o.rounds)
    ratios = {f"{a} / {b}{what}": [of[a][k] / of[b][k] for k in taken]
              for what, of in (("", seconds), ("; processor", busy)) for a, b in pairs}
    print(json.dumps({
        "wiring": wiring, **{key: value for key, value in vars(o).items() if isinstance(value, int)},
        "threads": torch.get_num_threads(),
        **{f"{name}; ms": round(1e3 * statistics.median(seconds[name][k] for k in taken), 1) for name in names},
        **{name: round(statistics.median(values), 3) for name, values in ratios.items()},
        **{f"{name}; range": [round(min(values), 2), round(max(values), 2)] for name, values in ratios.items()},
        "largest_difference_of_losses": max(abs(a - b) for name in names for a, b in zip(losses[name], losses["package"])),
        "load": round(os.getloadavg()[0], 1),
    }), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("d", 512), ("heads", 8), ("layers", 4), ("n", 4), ("context", 256), ("batch", 8), ("rounds", 10),
                          ("warm-up", 3), ("threads", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--wirings", default="hc,mhc,frac")
    parser.add_argument("--eager", action="store_true", help="leave torch.compile out")
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    for wiring in o.wirings.split(","):
        measure(wiring, o)


main()
