#!/usr/bin/env python3
"""A trunk written in .hc, called from PyTorch, against the same trunk in PyTorch.

    HCC_LIBRARY=build/libhcc.so PYTHON bench/torch_trunk.py [--wiring mhc] [--compile] [--steps 100]

Embedding, head, loss and AdamW are PyTorch's on both sides; between them lies `hcc.torch.compile` of
the text below, or the modules of tests/reference/hcref. Both begin at the same weights and take the
same batches, step by step in turns: the ratio is the median of the steps' ratios, the difference the
largest of the losses'. With --compile the peer runs under torch.compile. Prints one JSON object.
"""

import argparse
import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "python"), os.path.join(ROOT, "tests", "reference")]
import torch
import torch.nn.functional as F
from drop_in import step
from hcref.gpt import GPT, GPTConfig

import hcc.torch

TEXT = """use std;
model wired {{
  const d = {d}, heads = {heads}, blocks = {blocks}, n = {n};
  positions t <= {context} causal;
  input x[t, d] : real;
  let h = trunk(x) {{
    repeat blocks {{
      attn = {wiring} : attention(heads, causal = true);
      mlp  = {wiring} : mlp(4 * d, act = gelu);
    }}
  }};
}}
"""


class Compiled(torch.nn.Module):
    """The peer with its trunk in .hc, at the same weights."""

    def __init__(self, peer, text):
        super().__init__()
        self.E, self.pos = (torch.nn.Parameter(one.detach().clone()) for one in (peer.E, peer.pos))
        self.between = hcc.torch.compile(text, results="h", seed=1)
        self.between.load_state_dict({name: one for name, one in peer.state_dict().items() if name.startswith("trunk.")})

    def forward(self, tokens):
        return F.linear(self.between(F.embedding(tokens, self.E) + self.pos[:tokens.shape[-1]]), self.E)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("d", 512), ("heads", 8), ("blocks", 2), ("n", 4), ("context", 256), ("batch", 8), ("steps", 100),
                          ("warm-up", 5), ("threads", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--wiring", default="mhc")
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    peer = GPT(GPTConfig(context=o.context, d=o.d, heads=o.heads, blocks=o.blocks, n=o.n, wiring=o.wiring))
    ours = Compiled(peer, TEXT.format(**vars(o)))
    sides = [("hcc", ours, ours), ("torch", torch.compile(peer) if o.compile else peer, peer)]
    sides = [(name, model, torch.optim.AdamW(base.parameters(), lr=1e-3, weight_decay=0)) for name, model, base in sides]
    losses, seconds = {"hcc": [], "torch": []}, {"hcc": [], "torch": []}
    for k in range(o.steps):
        tokens = torch.randint(64, (o.batch, o.context + 1)) * (torch.arange(o.context + 1) % 3 == 0)
        for name, model, optimizer in sides[::-1] if k % 2 else sides:
            begun = time.perf_counter()
            losses[name].append(step(model, optimizer, tokens))
            seconds[name].append(time.perf_counter() - begun)
    taken = range(o.warm_up, o.steps)
    print(json.dumps({
        **vars(o), "threads": torch.get_num_threads(),
        "ratio": round(statistics.median(seconds["torch"][k] / seconds["hcc"][k] for k in taken), 3),
        **{f"{name}_ms": round(1e3 * statistics.median(seconds[name][o.warm_up:]), 2) for name in seconds},
        "first_loss": losses["torch"][0], "last_loss": losses["torch"][-1],
        "largest_difference": max(abs(a - b) for a, b in zip(losses["hcc"], losses["torch"])),
    }, indent=1))


main()
